/** The drill by itself: node --import tsx main.ts ROUNDS LEASE_MS [SEED]. Exits with 1 when a round is not as it must be. */

import { drill, type Round } from "./drill.js";
import { isGood } from "./report.js";

const [rounds = 6, leaseMs = 1000, seed = Math.floor(Math.random() * 2 ** 31)] = process.argv.slice(2).map(Number);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));

process.stdout.write(`seed ${seed}\n`);
const line = (round: Round, number: number) => {
	const { fault, lastedMs, equalMs, seenMs, leaseOutMs, unexplained, missed } = round;
	const equal = equalMs === undefined ? "not equal" : `equal after ${equalMs.toFixed(0)} ms`;
	const seen = seenMs === undefined ? "" : `, seen after ${seenMs.toFixed(0)} ms`;
	const outs = leaseOutMs.length === 0 ? "" : `, ${leaseOutMs.length} out by lease`;
	process.stdout.write(`${number}. ${fault}, ${(lastedMs / 1000).toFixed(1)} s: ${equal}${seen}${outs}\n`);
	for (const one of [...missed, ...unexplained]) process.stdout.write(`   ${one}\n`);
};
const done = await drill({ seed, rounds, leaseMs, onRound: line });
process.exitCode = done.every((round) => isGood(round, leaseMs)) ? 0 : 1;
