/** A host in the registry in Redis: its two halves, one that tells and one that is told, with one state between them. */

import type { FleetConfig } from "../../config/schema.js";
import type { Member, MemberOptions, MemberStatus, RegistryState } from "../registry.js";
import { keysOf } from "./keys.js";
import { type ProcessIdentity, readProcessIdentity } from "./process-identity.js";
import { openPublisher } from "./publisher.js";
import { openSubscriber } from "./subscriber.js";

/** @param identity of this process, unless a test plays several */
export function openRedisMember(
	{ redis, cluster, maxStale }: Pick<FleetConfig, "redis" | "cluster" | "maxStale">,
	options: MemberOptions,
	identity: ProcessIdentity = readProcessIdentity(),
): Member {
	const keys = keysOf(cluster);
	const connecting: RegistryState = { state: "frozen", sinceMs: options.now(), why: "not connected yet" };
	let publishing: RegistryState = options.publish ? connecting : { state: "up" };
	let subscribing: RegistryState = options.subscribe ? connecting : { state: "up" };
	let told: RegistryState = connecting;

	const state = (): RegistryState => {
		if (publishing.state === "up") return subscribing;
		// What is told of others matters more than what they are told.
		return subscribing.state === "up" ? publishing : subscribing;
	};
	const tellState = () => {
		const now = state();
		if (sameState(now, told)) return;
		told = now;
		options.onState(now);
	};

	const publisher = options.publish
		? openPublisher({
				redis,
				keys,
				identity,
				options,
				onState(next) {
					publishing = next;
					tellState();
				},
			})
		: undefined;
	const subscriber = options.subscribe
		? openSubscriber({
				...options,
				redis,
				keys,
				maxStale,
				onRejected: (line) => options.onRejected?.(line),
				onState(next) {
					subscribing = next;
					tellState();
				},
			})
		: undefined;

	return {
		offer: (changes) => publisher?.offer(changes),
		declare: (services) => publisher?.declare(services),
		settled: () => publisher?.settled(),
		lookAgain: () => subscriber?.lookAgain(),
		drain: async (isDraining) =>
			publisher === undefined
				? "this host tells others of nothing (fleet.publish is false)"
				: publisher.drain(isDraining),
		status: () => ({ ...QUIET, ...publisher?.status(), ...subscriber?.status(), registry: state() }),
		async close() {
			subscriber?.close();
			await publisher?.close();
		},
	};
}

/** Of a member that neither tells nor is told. */
const QUIET = {
	publishing: { state: "off" },
	draining: false,
	offers: 0,
	hosts: [],
	rejected: 0,
	wholeReads: 0,
	gaps: 0,
	publishMs: [],
} as const satisfies Omit<MemberStatus, "registry">;

function sameState(a: RegistryState, b: RegistryState): boolean {
	if (a.state === "up" || b.state === "up") return a.state === b.state;
	return a.why === b.why && a.sinceMs === b.sinceMs;
}
