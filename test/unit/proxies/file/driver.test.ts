import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DesiredSet } from "../../../../src/backends/backend.js";
import type { Driver } from "../../../../src/proxies/driver.js";
import { planFile } from "../../../../src/proxies/file/driver.js";
import { openDriver } from "../../../../src/proxies/open.js";
import { proxyConfig, web } from "../../../desired.js";

describe("the plan for a file", () => {
	test.each([
		{ text: "new", confirmed: true, hasCommand: true, steps: [] },
		{ text: "old", confirmed: true, hasCommand: true, steps: ["write", "reload"] },
		{ text: "new", confirmed: false, hasCommand: true, steps: ["reload"] },
		{ text: "new", confirmed: false, hasCommand: false, steps: [] },
		{ text: "old", confirmed: true, hasCommand: false, steps: ["write"] },
	])(
		"that has $text, confirmed $confirmed, with a command $hasCommand, is $steps",
		({ steps, hasCommand, ...actual }) => {
			const plan = planFile(actual, "new", hasCommand);
			expect(plan.steps.map(({ kind }) => kind)).toEqual(steps);
			expect(plan.reload).toBe(steps.includes("reload"));
			expect(plan.unreachable).toBeUndefined();
		},
	);
});

describe("a program that reads a file", () => {
	const signal = new AbortController().signal;
	let folder: string;
	let output: string;

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "solistend-file-"));
		output = join(folder, "list.txt");
		await writeFile(
			join(folder, "list.hbs"),
			"{{#each services}}{{name}}:{{#each backends}} {{address}}{{/each}}\n{{/each}}",
		);
	});

	afterEach(() => rm(folder, { recursive: true }));

	const open = (settings: Record<string, unknown>): Promise<Driver> =>
		openDriver(proxyConfig({ type: "file", template: join(folder, "list.hbs"), output, ...settings }), "h", []);

	async function apply(driver: Driver, desired: DesiredSet) {
		const plan = driver.plan(await driver.read(signal), desired);
		return plan.steps.length === 0 ? "nothing" : driver.run(plan.steps, signal);
	}

	test("gets it written, and nothing more without a command", async () => {
		const driver = await open({});
		expect(await apply(driver, web("10.0.0.1"))).toMatchObject({ kind: "applied" });
		expect(await readFile(output, "utf8")).toBe("web: 10.0.0.1\n");
		expect(await apply(driver, web("10.0.0.1"))).toBe("nothing");
		expect(driver.serversOf(await driver.read(signal))).toEqual([]);
		expect((await readdir(folder)).sort()).toEqual(["list.hbs", "list.txt"]);
	});

	test("is asked with its check, and told with its command", async () => {
		const check = ["sh", "-c", 'grep -q 10.0.0.1 "$1" || { echo "invalid: no 10.0.0.1"; exit 1; }', "sh", "{{output}}"];
		const driver = await open({ check, reload: ["cp", "{{output}}", join(folder, "loaded")] });
		expect(await apply(driver, web("10.0.0.1"))).toMatchObject({ kind: "applied" });
		expect(await readFile(join(folder, "loaded"), "utf8")).toBe("web: 10.0.0.1\n");

		expect(await apply(driver, web("10.0.0.2"))).toMatchObject({
			kind: "failed",
			stage: "check",
			error: { message: expect.stringContaining("invalid: no 10.0.0.1") },
		});
		expect(await readFile(output, "utf8")).toBe("web: 10.0.0.1\n");
	});
});
