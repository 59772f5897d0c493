/**
 * `npm run bench`: measures every case, or those that are named, and prints tables; with `--write` they go into
 * docs/benchmarks.md, once every case has run to its end. Exits with 1 when a goal is missed or a case fails.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { alone } from "./cases/alone.js";
import { burst } from "./cases/burst.js";
import { cost } from "./cases/cost.js";
import { faults } from "./cases/faults.js";
import { fleetDrill } from "./cases/fleet-drill.js";
import { fleetLatency } from "./cases/fleet-latency.js";
import { fleetScale } from "./cases/fleet-scale.js";
import { flood } from "./cases/flood.js";
import { idle } from "./cases/idle.js";
import { labels } from "./cases/labels.js";
import { latency } from "./cases/latency.js";
import { many } from "./cases/many.js";
import { nginxChanges } from "./cases/nginx-changes.js";
import { reloadPath } from "./cases/reload-path.js";
import { rolling } from "./cases/rolling.js";
import { scale } from "./cases/scale.js";
import { sensor } from "./cases/sensor.js";
import { type Section, sectionText } from "./figure.js";
import { versionsOf } from "./rig/programs.js";
import { libbpfVersion } from "./rig/sensor.js";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);
const BEGIN = "<!-- measured -->";
const END = "<!-- /measured -->";

const CASES: Readonly<Record<string, () => Promise<Section>>> = {
	sensor,
	latency,
	burst,
	rolling,
	alone,
	cost,
	flood,
	faults,
	scale,
	idle,
	nginxChanges,
	many,
	reloadPath,
	labels,
	fleetLatency,
	fleetScale,
	fleetDrill,
};

const writes = process.argv.includes("--write");
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = wanted.filter((name) => !Object.hasOwn(CASES, name));
if (unknown.length > 0 || (writes && wanted.length > 0)) {
	const names = Object.keys(CASES).join(", ");
	process.stderr.write(`usage: npm run bench -- [--write | NAME…] (cases: ${names})\n`);
	process.exit(2);
}

// So that what ends with this process does: the rest is removed by the next run.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));

const sections: Section[] = [];
let failures = 0;
for (const [name, measure] of Object.entries(CASES)) {
	if (wanted.length > 0 && !wanted.includes(name)) continue;
	const startedMs = performance.now();
	try {
		const section = await measure();
		sections.push(section);
		process.stdout.write(`${sectionText(section)}\n\n`);
	} catch (error) {
		failures++;
		process.stderr.write(`==> ${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
	}
	process.stderr.write(`==> ${name} took ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
}

if (writes && failures === 0) {
	const page = readFileSync(PAGE, "utf8");
	const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
	const measured = [await machine(), ...sections.map(sectionText)].join("\n\n");
	writeFileSync(PAGE, `${before}\n\n${measured}\n\n${page.slice(page.indexOf(END))}`);
}
process.exitCode = failures > 0 || sections.some(({ figures }) => figures.some(({ met }) => met === false)) ? 1 : 0;

/** What the figures were measured on. */
async function machine(): Promise<string> {
	const cores = cpus();
	const memory = Math.round(totalmem() / 2 ** 30);
	const day = new Date().toISOString().slice(0, 10);
	const versions = await versionsOf();
	return `${day}: ${cores.length} × ${cores[0]?.model}, ${memory} GiB, Linux ${release()}, Node ${process.version}, ${versions}, libbpf ${libbpfVersion()}.`;
}
