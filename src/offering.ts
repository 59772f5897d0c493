/**
 * What of this host's listeners others are told: looks, at the end of each step, at those of which something changed, and
 * hands on what follows for others. Knows nothing of how they are told.
 */

import { isDeepStrictEqual } from "node:util";
import { type Preferred, readPreferred } from "./backends/address.js";
import { type Advertised, advertised, type HostAddresses, hostAddresses } from "./backends/advertise.js";
import type { BackendRef, Hold } from "./backends/backend.js";
import type { Claim } from "./backends/claims.js";
import type { Config } from "./config/schema.js";
import { type Offer, type OfferChange, type OfferedStuck, offeredIdentity } from "./fleet/offer.js";
import { createOffers, type Offered } from "./fleet/offers.js";
import type { Addresses } from "./identity/identity.js";
import type { JudgedListener, Known } from "./judged.js";
import type { EndpointKey } from "./listeners/ids.js";

export interface Offering {
	/** Something of it may be other than it was. */
	touch(endpoint: EndpointKey): void;
	/** The kernel said that it closed. */
	closed(endpoint: EndpointKey): void;
	/** Ends a step: tells what changed. */
	tell(): void;
	/** Looks again at this host's own addresses. */
	recheck(): void;
	/** The address of this host on its connection to the registry. */
	onLocalAddress(address: string): void;
	/** Where others reach a listener; undefined while no others are told. */
	placeOf(listener: JudgedListener): Advertised | undefined;
	/** All that is offered now. */
	all(): OfferChange[];
	reconfigure(config: Pick<Config, "fleet">): void;
}

export interface OfferingOptions {
	readonly config: Pick<Config, "fleet">;
	/** Those of this host's own namespace. */
	readonly ownAddresses: () => Addresses;
	/** All that is known of a listener; undefined of one that is there no more. */
	readonly known: (endpoint: EndpointKey) => Known | undefined;
	readonly listeners: () => Iterable<Known>;
	/** What it leads to, where no gate is shut before it. */
	readonly leads: (endpoint: EndpointKey) => readonly Claim[];
	readonly holdOf: (ref: BackendRef) => Hold | undefined;
	readonly onOffer: (changes: readonly OfferChange[]) => void;
}

const NOT_READ: HostAddresses = { all: [], why: "this host's addresses were not read yet" };

export function createOffering(options: OfferingOptions): Offering {
	const { ownAddresses, known, listeners, leads, holdOf, onOffer } = options;
	let offers = createOffers();
	const touched = new Set<EndpointKey>();
	const closed = new Set<EndpointKey>();
	let advertise: Preferred = [];
	let isOn = false;
	let toRegistry: string | undefined;
	let own = NOT_READ;

	const recheck = () => {
		if (!isOn) return;
		const now = hostAddresses(advertise, ownAddresses(), toRegistry);
		// a host whose cable is out has no address, and reaches nobody to say so: it is told again when it does
		if (now.all.length === 0 && own.all.length > 0) return;
		if (isDeepStrictEqual(own, now)) return;
		own = now;
		for (const { endpoint } of listeners()) touched.add(endpoint.key);
	};

	const placeOf = ({ endpoint, resolved }: JudgedListener): Advertised => {
		const { isHost, addresses, shared = [], container } = resolved;
		const newer = isHost ? hostAddresses(advertise, addresses, toRegistry) : own;
		return advertised({
			bound: endpoint.address,
			port: endpoint.port,
			// one socket that serves IPv4 is enough
			ipv6Only: endpoint.sockets.every(({ ipv6Only }) => ipv6Only),
			isHost,
			addresses,
			shared,
			published: container?.state === "known" ? container.container.published : [],
			advertise,
			// those of a listener in this host's own namespace are newer, where it has any now
			own: newer.all.length > 0 ? newer : own,
		});
	};

	/** What an endpoint is to be offered as. */
	const offeredAs = (endpoint: EndpointKey): readonly Offered[] => {
		const claims = leads(endpoint);
		if (claims.length === 0) return [];
		const listener = known(endpoint);
		const services = new Set(claims.map(({ backend }) => backend.service));
		const before = offers.of(endpoint).filter(({ offer }) => services.has(offer.service));
		// it should go, and waits to be confirmed: what is known of it is known from before
		if (listener === undefined) return before;
		const place = placeOf(listener);
		if (!place.ok) return listener.resolved.addresses.state === "unknown" ? before : [];
		return claims.map((claim) => ({ netns: claim.backend.netns, offer: offerOf(claim, place, holdOf(claim.backend)) }));
	};

	const reconfigure = ({ fleet }: Pick<Config, "fleet">) => {
		isOn = fleet?.publish === true;
		advertise = readPreferred(fleet?.advertise ?? []);
		if (!isOn) offers = createOffers();
		own = NOT_READ;
		for (const { endpoint } of listeners()) touched.add(endpoint.key);
		recheck();
	};
	reconfigure(options.config);

	return {
		touch: (endpoint) => touched.add(endpoint),
		closed: (endpoint) => closed.add(endpoint),
		tell() {
			if (isOn) {
				for (const key of touched) offers.set(key, offeredAs(key), closed.has(key) ? "closed" : "withdrawn");
				const changes = offers.changes();
				if (changes.length > 0) onOffer(changes);
			}
			touched.clear();
			closed.clear();
		},
		recheck,
		onLocalAddress(address) {
			toRegistry = address;
			recheck();
		},
		placeOf: (listener) => (isOn ? placeOf(listener) : undefined),
		all: () => offers.all(),
		reconfigure,
	};
}

function offerOf(
	{ backend, told, stuck }: Claim,
	{ address, port }: { readonly address: string; readonly port: number },
	hold: Hold | undefined,
): Offer {
	return {
		service: backend.service,
		address,
		port,
		weight: backend.weight,
		...(told !== undefined && { told: { signal: told.signal, atNs: told.atNs } }),
		...(stuck !== undefined && { stuck: withoutTimes(stuck) }),
		...(hold !== undefined && { held: hold.state }),
		identity: offeredIdentity(backend.identity),
	};
}

function withoutTimes(stuck: NonNullable<Claim["stuck"]>): OfferedStuck {
	if (stuck.kind === "paused") return { kind: stuck.kind, by: stuck.by, pid: stuck.pid };
	return { kind: stuck.kind, pid: stuck.pid, queued: stuck.queued, backlog: stuck.backlog };
}
