/** `npm run bench`: measures, prints a table, and with `-- --write` puts it into docs/benchmarks.md. */

import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { execa } from "execa";
import { libbpfVersion } from "../../src/sensor/libbpf.js";
import type { Figure } from "./figure.js";
import { reloadPath } from "./reload-path.js";
import { stopLatency, watchLatency } from "./sensor-latency.js";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);
const BEGIN = "<!-- measured -->";
const END = "<!-- /measured -->";

const figures: Figure[] = [await watchLatency(), await stopLatency(), ...(await reloadPath())];
const met = (figure: Figure) => (figure.met === undefined ? "" : figure.met ? "yes" : "**no**");
const rows = figures.map((figure) => `| ${figure.what} | ${figure.measured} | ${figure.goal} | ${met(figure)} |`);
const table = ["| what | measured | goal | met |", "| --- | --- | --- | --- |", ...rows].join("\n");
const text = `${await machine()}\n\n${table}`;
process.stdout.write(`${text}\n`);

if (process.argv.includes("--write")) {
	const page = readFileSync(PAGE, "utf8");
	const before = page.slice(0, page.indexOf(BEGIN) + BEGIN.length);
	writeFileSync(PAGE, `${before}\n\n${text}\n\n${page.slice(page.indexOf(END))}`);
}
process.exitCode = figures.some((figure) => figure.met === false) ? 1 : 0;

/** What the figures were measured on. */
async function machine(): Promise<string> {
	const { stdout } = await execa("haproxy", ["-v"]);
	const haproxy = /version (\S+)/.exec(stdout)?.[1];
	const cores = cpus();
	const memory = Math.round(totalmem() / 2 ** 30);
	const day = new Date().toISOString().slice(0, 10);
	return `${day}: ${cores.length} × ${cores[0]?.model}, ${memory} GiB, Linux ${release()}, Node ${process.version}, HAProxy ${haproxy}, libbpf ${libbpfVersion()}.`;
}
