/** The suite in the VM: each way of running in turn, each case in it, one report line each. Exits with 0 when all were told. */

import { release } from "node:os";
import { messageOf } from "../../../src/errors.js";
import { openBefore } from "./before.js";
import type { Case, Group, Impossible, Where } from "./case.js";
import { GROUPS, sensorImpossible } from "./groups.js";
import { type Outcome, type Report, reportLine, type Way, wayText } from "./report.js";
import { openWatched } from "./watched.js";

const WAYS: readonly Way[] = [
	{ user: "root", memlock: "unlimited" },
	{ user: "root", memlock: 64 },
	{ user: "capabilities", memlock: "unlimited" },
	{ user: "capabilities", memlock: 64 },
];

const report = (what: Report) => void process.stdout.write(reportLine(what));

/** What the run came to, held against what it must come to. */
async function outcomeOf(run: () => Promise<void>, impossible: Impossible | undefined): Promise<Outcome> {
	try {
		await run();
	} catch (error) {
		if (impossible === undefined) {
			return { kind: "failed", problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
		}
		if (impossible.shows.test(messageOf(error))) return { kind: "impossible", because: impossible.because };
		return { kind: "failed", problem: `it must fail otherwise here (${impossible.because}): ${messageOf(error)}` };
	}
	if (impossible === undefined) return { kind: "passed" };
	return { kind: "failed", problem: `it works, and must not: ${impossible.because}` };
}

async function runCase(where: Where, group: string, { name, run, impossible }: Case, host: Parameters<Case["run"]>[0]) {
	const startMs = performance.now();
	const { troubles } = host.watched;
	const troublesBefore = troubles.length;
	let outcome = await outcomeOf(() => run(host), impossible?.(where));
	if (outcome.kind === "failed") {
		const said = troubles.slice(troublesBefore).map(({ message }) => `\n    the sensor: ${message}`);
		outcome = { ...outcome, problem: outcome.problem + said.join("") };
	}
	report({ type: "case", way: where.way, group, name, outcome, ms: Math.round(performance.now() - startMs) });
}

/** Which cases run, by `way; group; name`: all, but for who looks for the cause of one failure. */
const only = new RegExp(Buffer.from(process.env["SUITE_ONLY"] ?? "", "base64url").toString());

const casesOf = (way: Way, { name: group, cases }: Group) =>
	cases.filter(({ name }) => only.test(`${wayText(way)}; ${group}; ${name}`));

/** Where the sensor can't start, that is what came of every case. */
async function runWay(where: Where): Promise<void> {
	const { way } = where;
	if (!GROUPS.some((group) => casesOf(way, group).length > 0)) return;
	await using before = await openBefore();
	let watched: Awaited<ReturnType<typeof openWatched>> | undefined;
	const started = await outcomeOf(async () => {
		watched = await openWatched(way);
	}, sensorImpossible(where));
	if (watched === undefined || started.kind === "failed") {
		for (const group of GROUPS) {
			for (const { name } of casesOf(way, group)) {
				report({ type: "case", way, group: group.name, name, outcome: started, ms: 0 });
			}
		}
	} else {
		report({ type: "sensor", way, libbpf: watched.libbpf, hooks: watched.hooks });
		const host = { watched, before };
		for (const group of GROUPS) {
			for (const one of casesOf(way, group)) await runCase(where, group.name, one, host);
		}
	}
	await watched?.close();
}

const [major = 0, minor = 0] = release().split(".").map(Number);
report({ type: "host", release: release(), node: process.version });
for (const way of WAYS) await runWay({ version: [major, minor], way });
report({ type: "end" });
