import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { metricsText } from "../../src/admin/metrics.js";
import { tempFolder } from "../host/temp-folder.js";
import { daemonStatus, fleetView, histogram, hostView, proxyView } from "../unit/admin/status.js";

const FOLDER = fileURLToPath(new URL("../../docs/monitoring/", import.meta.url));
/** Unpacked by test/extended/browser.sh, and not installed: its package would bring a service. */
const PROMTOOL = process.env["SOLISTEND_PROMTOOL"] ?? "promtool";

const delays = { listen: histogram([1, 2, 0, 1], 9.5), close: histogram(), settle: histogram() };
const STATUS = daemonStatus({
	services: [{ name: "web", backends: [] }],
	proxies: [proxyView({ delays })],
	fleet: fleetView({ hosts: [hostView({ lagMs: 4 })], publishMs: [1] }),
});

const dashboard = z.object({
	panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});

/** All expressions of the dashboard, as Prometheus gets them. */
async function expressions(): Promise<string[]> {
	const { panels } = dashboard.parse(JSON.parse(await readFile(join(FOLDER, "dashboard.json"), "utf8")));
	return panels.flatMap(({ targets }) =>
		targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*")),
	);
}

/** Names in an expression that are metrics. */
const namesIn = (text: string) => text.match(/\b(?:solistend|process)_[a-z_]+/g) ?? [];

describe("what docs/monitoring has", () => {
	test("are rules that promtool takes, and that fire when they should", async () => {
		expect((await execa(PROMTOOL, ["check", "rules", join(FOLDER, "alerts.yml")])).stdout).toContain("SUCCESS");
		expect((await execa(PROMTOOL, ["check", "config", join(FOLDER, "prometheus.yml")])).stdout).toContain("SUCCESS");
		expect((await execa(PROMTOOL, ["test", "rules", join(FOLDER, "alerts.test.yml")])).stdout).toContain("SUCCESS");
	});

	test("are metrics whose names and forms promtool has nothing against", async () => {
		const text = await metricsText(STATUS);
		expect((await execa(PROMTOOL, ["check", "metrics"], { input: text })).stderr).toBe("");
	});

	test("is a dashboard of expressions that Prometheus takes", async () => {
		await using folder = await tempFolder();
		const rules = (await expressions()).map((expr, i) => ({ record: `panel:${i}`, expr }));
		const file = join(folder.path, "panels.yml");
		await writeFile(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
		expect((await execa(PROMTOOL, ["check", "rules", file])).stdout).toContain(`${rules.length} rules found`);
	});

	test("asks for metrics that there are, in rules and dashboard alike", async () => {
		const text = await metricsText(STATUS);
		const asked = [await readFile(join(FOLDER, "alerts.yml"), "utf8"), ...(await expressions())].flatMap(namesIn);
		for (const name of new Set(asked)) expect(text).toMatch(new RegExp(`^${name}[{ ]`, "m"));
	});
});
