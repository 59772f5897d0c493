/**
 * The half of a member that tells: keeps what its host offers, and brings it to Redis one step after the other; what comes
 * while one is on its way goes with the next. Knows nothing of what is told of others.
 */

import { messageOf } from "../../errors.js";
import type { Member, MemberOptions, MemberStatus, RegistryState } from "../registry.js";
import { reconnectDelayMs } from "./backoff.js";
import { openLink } from "./connect.js";
import { FIELDS, type Keys } from "./keys.js";
import type { ProcessIdentity } from "./process-identity.js";
import { createSelf } from "./self.js";
import { type Answer, type Change, createTeller, type Tenure } from "./tell.js";
import type { RedisConfig } from "./trouble.js";
import { createUntold } from "./untold.js";

export interface PublisherOptions {
	readonly redis: RedisConfig;
	readonly keys: Keys;
	readonly identity: ProcessIdentity;
	readonly options: Pick<MemberOptions, "host" | "zone" | "lease" | "drainTimeout" | "onLocalAddress" | "now">;
	/** Whether what it tells is brought to Redis; it begins frozen, without a word. */
	onState(state: RegistryState): void;
}

export interface Publisher extends Pick<Member, "offer" | "declare" | "settled" | "drain" | "close"> {
	status(): Pick<MemberStatus, "publishing" | "draining" | "offers" | "publishMs">;
}

/** A lease is renewed so many times within its length. */
const RENEWALS = 3;
/** How many figures `publishMs` has. */
const FIGURES = 256;
const DRAIN_TIMEOUT_MS = 30_000;

/** Connects, and claims the host as soon as it can. */
export function openPublisher({ redis, keys, identity, options, onState }: PublisherOptions): Publisher {
	const { host, zone, lease, now } = options;
	const untold = createUntold();
	const self = createSelf(zone, lease);
	let toldSelf: string | undefined;
	/** What this process told last, also when it tells no more; and whether it still does. */
	let tenure: Tenure | undefined;
	let holds = false;
	/** It is to say goodbye; it has. */
	let leaves = false;
	let hasLeft = false;
	let trouble: string | undefined;
	let troubledSinceMs = now();
	/** It was tried, whatever came of it. */
	let isReached = false;
	let refused: string | undefined;
	let failures = 0;
	let isBusy = false;
	let isClosed = false;
	/** Nothing is tried before. */
	let notBeforeMs = 0;
	let renewAtMs = 0;
	/** When the oldest of what waits came. */
	let waitsSinceMs: number | undefined = now();
	const publishMs: number[] = [];
	let asked: ((why: string | undefined) => void)[] = [];
	let timer: NodeJS.Timeout | undefined;
	let drainTimer: NodeJS.Timeout | undefined;

	const link = openLink(redis, {
		purpose: "commands",
		lease,
		onUp() {
			const address = link.localAddress();
			if (address !== undefined) options.onLocalAddress?.(address);
			// It may be another Redis, or an emptied one: asked at once.
			renewAtMs = 0;
			notBeforeMs = 0;
			if (hasLeft) troubled(undefined);
			void pump();
		},
		onDown: (why) => troubled(why),
	});
	const teller = createTeller(link, keys, host, lease);

	const troubled = (why: string | undefined) => {
		if (why === trouble && isReached) return;
		isReached = true;
		if (trouble === undefined && why !== undefined) troubledSinceMs = now();
		trouble = why;
		onState(why === undefined ? { state: "up" } : { state: "frozen", sinceMs: troubledSinceMs, why });
	};
	const claim = async () => {
		const isFirst = tenure === undefined;
		const about = self.text;
		const offers = untold.all();
		const answer = await teller.claim({ mine: tenure?.incarnation, identity, about, offers });
		if (answer.kind === "refused") {
			refused =
				answer.by === "later"
					? `a later daemon on this machine tells for ${host} (end one of the two, or give them names of their own with host:)`
					: `another host calls itself ${host} (give one of the two another name with host:)`;
			notBeforeMs = now() + Math.min(Math.max(answer.leaseLeftMs, lease / RENEWALS), lease);
			return;
		}
		refused = undefined;
		tenure = { incarnation: answer.incarnation, sequence: 1 };
		holds = true;
		renewAtMs = now() + lease / RENEWALS;
		if (isFirst) {
			toldSelf = answer.fields.get(FIELDS.about);
			untold.has(new Map([...answer.fields].filter(([field]) => !field.startsWith("@"))));
			if (self.carryOn(toldSelf)) leaveLater();
		} else {
			toldSelf = about;
			untold.has(offers);
		}
	};
	/** Whether a step was taken; whatever is not as it was told is claimed again, and told as a whole. */
	const took = (answer: Answer): boolean => {
		if (answer === "ok") renewAtMs = now() + lease / RENEWALS;
		else holds = false;
		return answer === "ok";
	};
	const change = async (held: Tenure, what: Change): Promise<boolean> => {
		// Without an answer nobody knows whether an edge was told; a number is never used for something else again, so that
		// what follows is a whole, of a new incarnation.
		holds = false;
		const isTaken = took(await teller.change(held, what));
		if (!isTaken) return false;
		holds = true;
		tenure = { ...held, sequence: held.sequence + 1 };
		return true;
	};
	const tellSelf = async (held: Tenure) => {
		const about = self.text;
		if (await change(held, { kind: "about", about })) toldSelf = about;
	};
	const tellOffers = async (held: Tenure) => {
		const delta = untold.delta();
		if (delta === undefined) return;
		const sinceMs = waitsSinceMs ?? now();
		waitsSinceMs = undefined;
		let isTaken = false;
		try {
			isTaken = await change(held, { kind: "offers", delta });
		} finally {
			if (!isTaken) waitsSinceMs = sinceMs;
		}
		if (!isTaken) return;
		untold.told(delta);
		publishMs.push(now() - sinceMs);
		if (publishMs.length > FIGURES) publishMs.shift();
	};
	const sayBye = async (held: Tenure) => {
		const answer = await teller.bye(held);
		holds = false;
		// A flushed Redis knows nothing of it, either. And it may have been taken back meanwhile.
		hasLeft = leaves && (answer === "ok" || answer === "gone");
	};
	const isTold = () => hasLeft || (holds && !leaves && self.text === toldSelf && !untold.isPending);
	/** The next step, if there is any to take now. */
	const step = (): Promise<void> | undefined => {
		if (isClosed || hasLeft || !link.isUp || now() < notBeforeMs) return;
		if (!holds || tenure === undefined) return claim();
		if (leaves) return sayBye(tenure);
		if (self.text !== toldSelf) return tellSelf(tenure);
		if (untold.isPending) return tellOffers(tenure);
		if (now() >= renewAtMs) return teller.renew(tenure).then((answer) => void took(answer));
		return;
	};
	const pump = async () => {
		if (isBusy) return;
		isBusy = true;
		try {
			for (let taken = step(); taken !== undefined; taken = step()) {
				await taken;
				failures = 0;
				troubled(undefined);
			}
			if (isTold()) waitsSinceMs = undefined;
		} catch (error) {
			if (isClosed) return;
			failures++;
			notBeforeMs = now() + reconnectDelayMs(failures, Math.random(), lease);
			const why = link.why(error);
			troubled(why);
			// It was the primary once: who is it now?
			if (messageOf(error).includes("READONLY")) link.reset(why);
		}
		isBusy = false;
		const why = refused ?? trouble;
		if (why !== undefined || isTold()) {
			for (const answer of asked) answer(why);
			asked = [];
		}
		rest();
	};
	/** Wakes up for the next attempt or the next renewal; a connection that comes back wakes it, too. */
	const rest = () => {
		clearTimeout(timer);
		if (isClosed || hasLeft || !link.isUp) return;
		const dueMs = Math.max(notBeforeMs, holds ? renewAtMs : 0);
		timer = setTimeout(() => void pump(), Math.max(1, dueMs - now()));
	};
	const leaveLater = () => {
		clearTimeout(drainTimer);
		const longestMs = Math.max(options.drainTimeout?.() ?? DRAIN_TIMEOUT_MS, self.longestDrainMs);
		drainTimer = setTimeout(() => {
			leaves = true;
			void pump();
		}, longestMs);
	};
	const waits = () => {
		waitsSinceMs ??= now();
		void pump();
	};

	return {
		offer(changes) {
			untold.change(changes);
			waits();
		},
		declare(declared) {
			self.declare(declared);
			waits();
		},
		settled() {
			untold.settle();
			waits();
		},
		async drain(isDraining) {
			clearTimeout(drainTimer);
			leaves = isDraining && self.isDraining;
			if (!isDraining) hasLeft = false;
			self.drain(isDraining);
			if (isDraining && !leaves) leaveLater();
			if (refused === undefined) notBeforeMs = 0;
			const told = new Promise<string | undefined>((resolve) => asked.push(resolve));
			waits();
			const why = await told;
			return why === undefined ? undefined : `${why}; it is told as soon as that is mended`;
		},
		status: () => ({
			publishing: publishingNow(),
			draining: self.isDraining,
			offers: untold.offers,
			publishMs: [...publishMs],
		}),
		async close() {
			clearTimeout(timer);
			clearTimeout(drainTimer);
			if (self.isDraining && !hasLeft && holds && refused === undefined) {
				leaves = true;
				const gone = new Promise<unknown>((resolve) => asked.push(resolve));
				void pump();
				await gone;
			}
			isClosed = true;
			clearTimeout(timer);
			link.close();
			for (const answer of asked) answer("the daemon ends");
		},
	};

	function publishingNow(): MemberStatus["publishing"] {
		if (refused !== undefined) return { state: "refused", why: refused };
		if (isTold() && trouble === undefined && tenure !== undefined) {
			const { incarnation, sequence } = tenure;
			return { state: "current", incarnation: Number(incarnation), sequence };
		}
		return { state: "behind", sinceMs: waitsSinceMs ?? now(), why: trouble ?? "it is being told" };
	}
}
