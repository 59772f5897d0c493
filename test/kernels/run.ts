/**
 * `npm run test:kernels`: boots every kernel, or those that are named, runs the suite in each, and says what came of it;
 * with `--write` the table goes into docs/kernels.md, once all of them have passed. Exits with 1 when anything failed.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { messageOf } from "../../src/errors.js";
import { tempFolder } from "../host/temp-folder.js";
import { makeInitramfs } from "./initramfs.js";
import { parseReport, type Report, wayText } from "./suite/report.js";
import { type KernelResult, withTables } from "./table.js";
import { runVm } from "./vm.js";

const KERNELS = ["5.10", "6.1", "6.12", "sid"];
const KEPT = "/var/cache/solistend-test/kernels";
const PAGE = new URL("../../docs/kernels.md", import.meta.url);
const TIMEOUT_MS = 900_000;

const { values, positionals: wanted } = parseArgs({
	allowPositionals: true,
	options: {
		write: { type: "boolean", default: false },
		only: { type: "string" },
		verbose: { type: "boolean", default: false },
	},
});
const isPart = wanted.length > 0 || values.only !== undefined;
if (wanted.some((name) => !KERNELS.includes(name)) || (values.write && isPart)) {
	process.stderr.write(
		`usage: npm run test:kernels -- [--verbose] [--write | --only REGEX | KERNEL…] (kernels: ${KERNELS.join(", ")})\n`,
	);
	process.exit(2);
}
const kernels = wanted.length > 0 ? wanted : KERNELS;

const say = (line: string) => void process.stdout.write(`${line}\n`);

// The VM ends with this process, by whatever it ends; what is in the temporary folder goes first.
await using folder = await tempFolder("solistend-kernels");
for (const [signal, code] of [
	["SIGINT", 130],
	["SIGTERM", 143],
	["SIGHUP", 129],
] as const) {
	process.on(signal, () => void folder.close().finally(() => process.exit(code)));
}

let lastProblem = "";

/** Where the sensor does not start, all cases fail of the same: told once. */
function sayFailure({ outcome, group, name, way }: Extract<Report, { type: "case" }>): void {
	if (outcome.kind !== "failed" || outcome.problem === lastProblem) return;
	lastProblem = outcome.problem;
	say(`  FAILED ${group}: ${name} (${wayText(way)})\n    ${outcome.problem}`);
}

/** Boots one kernel; its cases, and what went wrong beside them. */
async function runKernel(name: string, initramfs: string): Promise<KernelResult> {
	const cases: Extract<Report, { type: "case" }>[] = [];
	const sensors: Extract<Report, { type: "sensor" }>[] = [];
	let host: Extract<Report, { type: "host" }> | undefined;
	let ended = false;
	const unexpected: string[] = [];
	const onLine = (line: string) => {
		const report = parseReport(line);
		if (report === undefined) {
			if (line.trim() !== "") unexpected.push(line);
			if (values.verbose) say(`  ${line}`);
			return;
		}
		switch (report.type) {
			case "host":
				host = report;
				return;
			case "sensor":
				sensors.push(report);
				return;
			case "case":
				cases.push(report);
				if (values.verbose)
					say(`  ${report.outcome.kind} ${report.group}: ${report.name} (${wayText(report.way)}), ${report.ms} ms`);
				sayFailure(report);
				return;
			case "end":
				ended = true;
				return;
			default:
				report satisfies never;
		}
	};
	await runVm({ kernel: `${KEPT}/${name}/vmlinuz`, initramfs, onLine, timeoutMs: TIMEOUT_MS, only: values.only });
	if (host === undefined || !ended)
		throw new Error(`the suite did not run to its end:\n${unexpected.slice(-20).join("\n")}`);
	if (cases.some(({ outcome }) => outcome.kind === "failed") && unexpected.length > 0) {
		say(`  its console besides:\n    ${unexpected.slice(-40).join("\n    ")}`);
	}
	return { name, package: readFileSync(`${KEPT}/${name}/package`, "utf8"), host, cases, sensors };
}

await execa("sh", ["test/kernels/setup.sh", ...kernels], { stdio: ["ignore", "inherit", "inherit"] });
const initramfs = await makeInitramfs(folder.path);
const results: KernelResult[] = [];
let passed = 0;
let failed = 0;
for (const name of kernels) {
	const startMs = performance.now();
	try {
		const result = await runKernel(name, initramfs);
		results.push(result);
		const count = (kind: string) => result.cases.filter(({ outcome }) => outcome.kind === kind).length;
		passed += count("passed") + count("impossible");
		failed += count("failed");
		const seconds = Math.round((performance.now() - startMs) / 1000);
		say(
			`${result.package}: ${count("passed")} passed, ${count("impossible")} failed as they must there, ${count("failed")} failed (${seconds} s)`,
		);
	} catch (error) {
		failed++;
		say(`${name}: ${messageOf(error)}`);
	}
}
say(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
else if (values.write) {
	const today = new Date().toISOString().slice(0, 10);
	writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), results, today));
}
