/** The suite in the VM: each way of running in turn, each case in it, one report line each. Exits with 0 when all were told. */

import { release } from "node:os";
import { messageOf } from "../../../src/errors.js";
import { openBefore } from "./before.js";
import type { Case, Group, Host, Impossible, Where } from "./case.js";
import { GROUPS, sensorImpossible } from "./groups.js";
import { type Outcome, type Report, reportLine, SENSOR, type Way, wayText } from "./report.js";
import { openWatched, type Watched } from "./watched.js";

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

async function timed(run: () => Promise<void>, impossible?: Impossible): Promise<{ outcome: Outcome; ms: number }> {
	const startMs = performance.now();
	const outcome = await outcomeOf(run, impossible);
	return { outcome, ms: Math.round(performance.now() - startMs) };
}

/** Runs a case; where it failed, what the sensor said meanwhile is added. */
async function runCase(where: Where, { run, impossible }: Case, host: Host) {
	const { troubles } = host.watched;
	const troublesBefore = troubles.length;
	const { outcome, ms } = await timed(() => run(host), impossible?.(where));
	if (outcome.kind !== "failed") return { outcome, ms };
	const said = troubles
		.slice(troublesBefore)
		.slice(-10)
		.map(({ message }) => `\n    the sensor: ${message}`);
	return { outcome: { ...outcome, problem: outcome.problem + said.join("") }, ms };
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
	let watched: Watched | undefined;
	const started = await timed(async () => {
		watched = await openWatched(way);
	}, sensorImpossible(where));
	report({ type: "case", way, group: SENSOR, name: "starts", ...started });
	for (const group of GROUPS) {
		for (const one of casesOf(way, group)) {
			const { outcome, ms } = watched === undefined ? started : await runCase(where, one, { watched, before });
			report({ type: "case", way, group: group.name, name: one.name, outcome, ms });
		}
	}
	if (watched === undefined) return;
	report({ type: "sensor", way, libbpf: watched.libbpf, hooks: watched.hooks });
	report({ type: "case", way, group: SENSOR, name: "ends when it is closed", ...(await timed(watched.close)) });
}

const [major = 0, minor = 0] = release().split(".").map(Number);
report({ type: "host", release: release(), node: process.version });
for (const way of WAYS) await runWay({ version: [major, minor], way });
report({ type: "end" });
