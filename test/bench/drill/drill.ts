/**
 * Rounds of faults on a fleet of real daemons, while applications start and stop. After each the edge's HAProxy must equal
 * what listens, and no server must have been out that nothing explains.
 */

import { setTimeout as pause } from "node:timers/promises";
import { openFleet } from "../../host/fleet.js";
import { lifetime } from "../../host/lifetime.js";
import { tempFolder } from "../../host/temp-folder.js";
import { monotonicMs } from "../rig/probe.js";
import { redisClock } from "../rig/redis-clock.js";
import { type Out, reasonOf } from "./course.js";
import { evidenceOf } from "./evidence.js";
import { FAULTS, type Fault, type Scene } from "./faults.js";
import { type DrillHost, openDrillHost } from "./host.js";
import { randomBy } from "./random.js";
import { boundMs } from "./report.js";
import { openWitness, type Witness } from "./witness.js";

export interface DrillOptions {
	readonly seed: number;
	readonly rounds: number;
	readonly leaseMs: number;
	/** Default: all there are. */
	readonly faults?: readonly [Fault, ...Fault[]];
	/** Told of each round. */
	onRound?(round: Round, number: number): void;
}

export interface Round {
	readonly fault: string;
	/** How long it lasted, in milliseconds. */
	readonly lastedMs: number;
	/** From its end until the edge equalled what listens; undefined: not within the patience. */
	readonly equalMs: number | undefined;
	/** The same from its begin, for one that the edge must see while it lasts. */
	readonly seenMs?: number | undefined;
	/** Servers that were out though somebody listened, since their host's lease was over: for how long. */
	readonly leaseOutMs: readonly number[];
	/** Servers that nothing explains, in words. */
	readonly unexplained: readonly string[];
	/** What the edge still lacked when its time was over, which stage did, and where more of it is: in words. */
	readonly missed: readonly string[];
}

const HOSTS = ["one", "two", "three"];
const PORTS = 6;
/** Between a start or a stop of an application and the next. */
const CHURN_MS = { least: 20, most: 400 } as const;
/** In leases. */
const LASTS = { least: 0.2, most: 2.2 } as const;
/** So often the bound is waited for, so that a late one is seen to be late. */
const PATIENCE = 5;

/** @throws Error when the fleet can't be made, or does not come up */
export async function drill({
	seed,
	rounds,
	leaseMs,
	faults = FAULTS,
	onRound,
}: DrillOptions): Promise<readonly Round[]> {
	await using owned = lifetime();
	const random = randomBy(seed);
	const { path } = owned.own(await tempFolder("solistend-drill"));
	const clock = await redisClock(path);
	const fleet = owned.own(
		await openFleet({
			lease: `${leaseMs}ms`,
			redis: { env: clock.env },
		}),
	);
	const opened: DrillHost[] = [];
	for (const name of HOSTS) opened.push(await openDrillHost(fleet, name, PORTS, random));
	const [first, ...others] = opened;
	if (first === undefined) throw new Error("no hosts");
	const scene: Scene = { fleet, hosts: [first, ...others], clock, random, leaseMs, edge: await fleet.startEdge() };
	const witness = owned.own(openWitness(fleet.edge));
	if ((await untilEqual(scene, witness)).ms === undefined) {
		throw new Error(`the edge does not follow:\n${difference(scene, witness)}\n${scene.edge.lastLines()}`);
	}
	const done: Round[] = [];
	// each fault in turn first, so that none is left to chance where there are enough rounds
	const order = randomBy(seed).shuffled(faults);
	for (let number = 0; number < rounds; number++) {
		const round = await suffer(scene, witness, order[number] ?? random.of(faults));
		done.push(round);
		onRound?.(round, number + 1);
	}
	return done;
}

async function suffer(scene: Scene, witness: Witness, fault: Fault): Promise<Round> {
	const { random, leaseMs } = scene;
	witness.take();
	const churn = startChurn(scene);
	await pause(random.between(CHURN_MS.least, CHURN_MS.most));
	const beganMs = monotonicMs();
	const mend = await fault.begin(scene);
	let seen: Equal | undefined;
	if (fault.isSeen === true) {
		await churn.close();
		seen = await untilEqual(scene, witness);
	} else await pause(random.between(LASTS.least, LASTS.most) * leaseMs);
	const lastedMs = monotonicMs() - beganMs;
	await mend();
	await churn.close();
	const equal = await untilEqual(scene, witness);
	const outs = witness.take().map((out) => ({ out, reason: reasonOf(out, factsOf(scene), leaseMs) }));
	const words = ({ place, inMs, outMs, backMs }: Out) => {
		const back = backMs === undefined ? "until the end" : `for ${(backMs - outMs).toFixed(0)} ms`;
		return `${place} was out ${back}, from ${(inMs - beganMs).toFixed(0)} to ${(outMs - beganMs).toFixed(0)} ms after the begin on`;
	};
	const unexplained = outs.flatMap(({ out, reason }) => (reason === "none" ? [words(out)] : []));
	// what each logged tells how it came to that
	const evidence = unexplained.length > 0 ? await evidenceOf(scene, []) : [];
	const nowMs = monotonicMs();
	return {
		fault: fault.name,
		lastedMs,
		equalMs: equal.ms,
		...(seen !== undefined && { seenMs: seen.ms }),
		leaseOutMs: outs.flatMap(({ out, reason }) => (reason === "lease" ? [(out.backMs ?? nowMs) - out.outMs] : [])),
		unexplained,
		missed: [...(seen?.missed ?? []), ...equal.missed, ...evidence],
	};
}

/** Applications on all hosts start and stop, until it is closed. */
function startChurn({ hosts, random }: Scene) {
	let isOver = false;
	const churning = (async () => {
		while (!isOver) {
			await random.of(hosts).toggle(random);
			await pause(random.between(CHURN_MS.least, CHURN_MS.most));
		}
	})();
	return {
		async close() {
			isOver = true;
			await churning;
		},
	};
}

interface Equal {
	/** Milliseconds until HAProxy sent requests to whoever listens, and to nobody else; undefined: not within the patience. */
	readonly ms: number | undefined;
	/** As in `Round`. */
	readonly missed: readonly string[];
}

async function untilEqual(scene: Scene, witness: Witness): Promise<Equal> {
	const beganMs = monotonicMs();
	const limitMs = boundMs(scene.leaseMs);
	let missed: readonly string[] = [];
	for (;;) {
		await witness.look();
		const ms = monotonicMs() - beganMs;
		if (difference(scene, witness) === "") return { ms, missed };
		if (ms > limitMs && missed.length === 0) missed = await missedBy(scene, witness);
		if (ms > PATIENCE * limitMs) return { ms: undefined, missed };
	}
}

/** Asked at once: what is late may be there in the next moment. */
async function missedBy(scene: Scene, witness: Witness): Promise<string[]> {
	const { missing, stale } = missedIn(scene, witness);
	const places = [
		...missing.map((place) => ({ place, listens: true })),
		...stale.map((place) => ({ place, listens: false })),
	];
	const said = `${difference(scene, witness)}; the edge says\n${scene.edge.lastLines()}`;
	return [said, ...(await evidenceOf(scene, places))];
}

function missedIn({ hosts }: Scene, { ready }: Witness) {
	const places = hosts.flatMap((host) => host.places());
	return {
		missing: places.filter((place) => !ready.includes(place)),
		stale: ready.filter((place) => !places.includes(place)),
	};
}

function difference(scene: Scene, witness: Witness): string {
	const { missing, stale } = missedIn(scene, witness);
	if (missing.length + stale.length === 0) return "";
	return `it lacks ${missing.join(", ") || "nobody"}, and has ${stale.join(", ") || "nobody"} where nobody listens`;
}

function factsOf({ hosts }: Scene) {
	const hostAt = (place: string): DrillHost | undefined =>
		hosts.find(({ host }) => place.startsWith(`${host.netns.address}:`));
	return {
		closed: (place: string) => hostAt(place)?.closed(place) ?? [],
		silent: (place: string) => hostAt(place)?.silent ?? [],
	};
}
