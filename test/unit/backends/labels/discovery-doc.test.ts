import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Declaration } from "../../../../src/backends/labels/declaration.js";
import { declarationsOf } from "../../../../src/backends/labels/declarations.js";
import { configSchema } from "../../../../src/config/schema.js";
import { container, declared } from "./container.js";

const page = readFileSync(new URL("../../../../docs/discovery.md", import.meta.url), "utf8");

/** A file of Compose, as far as the page needs it. */
interface Compose {
	readonly services: Readonly<Record<string, ComposeService>>;
}

interface ComposeService {
	readonly labels?: Readonly<Record<string, string | number>>;
	readonly environment?: Readonly<Record<string, string | number>>;
	readonly expose?: readonly number[];
}

const texts = (values: Readonly<Record<string, string | number>> = {}) =>
	Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));

/** A declaration as the page writes it. */
function line({ service, port, weight, mode, hosts, ready, drainTimeout }: Declaration): string {
	const gate = ready && `${ready.http ?? "tcp"} ${ready.status.from}-${ready.status.to}`;
	const said = [
		port !== undefined && `port ${port}`,
		weight !== undefined && `weight ${weight}`,
		mode !== undefined && `mode ${mode}`,
		hosts.length > 0 && `hosts ${hosts.join(" ")}`,
		ready !== undefined && `ready ${gate} within ${ready.timeout} ms every ${ready.interval} ms`,
		drainTimeout !== undefined && `drain ${drainTimeout} ms`,
	];
	return `${service}: ${said.filter((part) => part !== false).join(", ")}`;
}

const examples = [...page.matchAll(/```yaml\n# compose\.yaml\n(.*?)```\n\n```text\n(.*?)```/gs)];
const configurations = [...page.matchAll(/```yaml\n# \/etc\/solistend\/solistend\.yaml\n(.*?)```/gs)];

describe("docs/discovery.md", () => {
	test.each(examples.map(([, yaml = "", result = ""]) => [yaml, result]))(
		"its example declares what it says:\n%s",
		(yaml, result) => {
			const { services }: Compose = parse(yaml);
			const lines = Object.values(services).flatMap(({ labels, environment, expose = [] }) => {
				const one = container({ labels: texts(labels), env: texts(environment), exposed: expose });
				const how = {
					labels: true,
					conventions: ["virtual-host" as const, "traefik" as const, "registrator" as const],
				};
				const { declarations, problems } = declarationsOf(one, how);
				return [...problems, ...declarations.map(line)];
			});
			expect(`${lines.join("\n")}\n`).toBe(result);
		},
	);

	test.each(configurations.map(([, yaml = ""]) => [yaml]))("its configuration is one:\n%s", (yaml) => {
		expect(() => configSchema.parse(parse(yaml))).not.toThrow();
	});

	test("has no example that the test does not see", () => {
		expect(examples.length).toBeGreaterThan(5);
		expect(examples.length + configurations.length).toBe([...page.matchAll(/```yaml/g)].length);
	});

	test("lists exactly our own labels, each with a value that counts", () => {
		const rows = [...page.matchAll(/^\| `(solisten\.[a-z-]+)` +\|[^|]*\| `([^`]+)` +\|$/gm)];
		for (const [, label = "", value = ""] of rows) {
			const { declarations, problems } = declared({ labels: { "solisten.service": "web", [label]: value } });
			expect(problems).toEqual([]);
			expect(declarations).toHaveLength(1);
		}
		const [unknown = ""] = declared({ labels: { "solisten.x": "" } }).problems;
		const allowed = /solisten\. and (.*)\)$/.exec(unknown)?.[1]?.split(", ") ?? [];
		expect(rows.map(([, label]) => label).sort()).toEqual(allowed.map((key) => `solisten.${key}`).sort());
	});

	test("has gates that can be asked", () => {
		const section = page.slice(page.indexOf("## The ready gate"), page.indexOf("## Conventions"));
		const gates = [...section.matchAll(/^\| `([^`]+)` +\| [a-z]/gm)].map(([, gate = ""]) => gate).slice(1);
		expect(gates.length).toBeGreaterThan(3);
		for (const gate of gates) {
			expect(declared({ labels: { "solisten.service": "web", "solisten.ready": gate } }).problems).toEqual([]);
		}
	});
});
