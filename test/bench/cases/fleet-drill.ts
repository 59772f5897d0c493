/** A hundred faults, one after the other, on a fleet of real daemons: what the edge does. */

import { drill } from "../drill/drill.js";
import { figuresOf } from "../drill/report.js";
import type { Section } from "../figure.js";

const ROUNDS = 100;
const LEASE_MS = 3000;

export async function fleetDrill(): Promise<Section> {
	const seed = Number(process.env["SOLISTEND_DRILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
	process.stderr.write(`==> the drill's seed is ${seed} (SOLISTEND_DRILL_SEED=${seed} repeats it)\n`);
	const rounds = await drill({
		seed,
		rounds: ROUNDS,
		leaseMs: LEASE_MS,
		onRound({ fault, missed, unexplained }, number) {
			process.stderr.write(`==> ${number}. ${fault}\n`);
			for (const one of [...missed, ...unexplained]) process.stderr.write(`==>    ${one}\n`);
		},
	});
	return {
		title: `${ROUNDS} faults in a fleet`,
		text: `Three hosts, an edge with HAProxy and a Redis, each in a network namespace of its own; four daemons, with leases of ${LEASE_MS / 1000} s.
One fault after the other, each kind at least once, else by chance (seed ${seed}), for 0.2 to 2.2 leases; meanwhile applications
on all hosts start and stop, at most ${400} ms after each other. A clock is stepped by a library that adds to what the
redis-server reads of it. From the fault's end until HAProxy sends requests to whoever listens and to nobody else; of a host
that dies also from its begin. Another reader of HAProxy's Runtime API follows every server all the time: each that was out
must have been closed within two leases, or its host told nothing for a lease.`,
		figures: figuresOf(rounds, LEASE_MS),
	};
}
