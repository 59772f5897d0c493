import { expect, test } from "vitest";
import type { BackendView, DaemonStatus, ProxyView } from "../../../src/admin/view.js";
import { type Stages, stageOf } from "../../bench/drill/stages.js";

const PLACE = "10.0.0.1:8000";

const backend = (id: string, rest: Partial<BackendView> = {}): BackendView => ({
	id,
	state: "ready",
	held: false,
	reason: "it listens",
	since: "2026-01-01T00:00:00Z",
	...rest,
});

const histogram = { bounds: [], counts: [], sum: 0 };
const proxy: ProxyView = {
	name: "edge",
	type: "haproxy",
	mode: "apply",
	state: "starting",
	applied: 0,
	reloads: 0,
	failed: 0,
	fastChanges: 0,
	failedReloads: 0,
	delays: { listen: histogram, close: histogram, settle: histogram },
};

const status = (backends: readonly BackendView[], sequence: number): DaemonStatus => ({
	version: "0.1.0",
	host: "one",
	pid: 1,
	startedAt: "2026-01-01T00:00:00Z",
	uptimeMs: 1,
	config: "/etc/solistend/solistend.yaml",
	listeners: 1,
	services: [{ name: "web", backends }],
	holds: [],
	proxies: [proxy],
	sensor: { state: "up" },
	losses: {},
	fleet: {
		cluster: "default",
		host: "one",
		registry: { state: "up" },
		publishing: { state: "current", incarnation: 5, sequence },
		draining: false,
		offers: 1,
		hosts: [{ host: "one", state: "live", version: "0.1.0", incarnation: 5, sequence, backends: 1, leaseMs: 1000 }],
		rejected: 0,
		wholeReads: 1,
		gaps: 0,
		publishMs: [],
	},
});

/** All have it. */
const all: Stages = {
	host: status([backend("127.0.0.1:8000"), backend("10.0.0.2:8000", { host: "two" })], 3),
	redis: { version: "5:3", places: [PLACE] },
	edge: status([backend(PLACE, { host: "one" })], 3),
};
const out = backend(PLACE, { state: "out", reason: "host two claims it, too" });

test.each<[string, Partial<Stages>, RegExp]>([
	["the host's daemon that does not answer", { host: undefined }, /^one's daemon: it does not answer/],
	["the host's daemon", { host: status([], 3) }, /^one's daemon, whose sensor is up: it is in no pool/],
	["Redis that does not answer", { redis: undefined }, /^Redis: /],
	["its publisher", { redis: { version: "5:2", places: [] } }, /^one's publisher, which is current: Redis is at 5:2/],
	["the edge's daemon", { edge: undefined }, /^the edge's daemon: it does not answer/],
	["the edge's member", { edge: status([], 2) }, /^the edge's member, .* it is at 5:2, and Redis at 5:3/],
	["the edge's pools", { edge: status([out], 3) }, /^the edge's pools, whose sensor is up: out: host two claims it/],
	["the edge's pools without a word", { edge: status([], 3) }, /^the edge's pools, .* it is in no pool/],
	["the edge's proxy", {}, /^the edge's proxy, which is starting/],
])("what listens was lost by %s", (_, stages, words) => {
	expect(stageOf("one", PLACE, true, { ...all, ...stages })).toMatch(words);
});

const none: Stages = {
	host: status([], 4),
	redis: { version: "5:4", places: [] },
	edge: status([], 4),
};

const { fleet, ...rest } = status([], 4);
/** An edge that knows no other host. */
const forgotten: DaemonStatus = { ...rest, ...(fleet !== undefined && { fleet: { ...fleet, hosts: [] } }) };

test.each<[string, Partial<Stages>, RegExp]>([
	["the host's daemon", { host: all.host }, /^one's daemon, whose sensor is up: ready: it listens/],
	["its publisher", { redis: all.redis }, /^one's publisher/],
	[
		"the edge's member, where its host is dead",
		{ host: undefined, redis: all.redis, edge: all.edge },
		/^the edge's member/,
	],
	["the edge's member", { edge: all.edge }, /^the edge's member/],
	["the edge's pools", { edge: status([backend(PLACE)], 4) }, /^the edge's pools/],
	["the edge's proxy", {}, /^the edge's proxy/],
	[
		"the edge's proxy, where its host is dead",
		{ host: undefined, redis: all.redis, edge: forgotten },
		/^the edge's proxy/,
	],
])("what is gone is left by %s", (_, stages, words) => {
	expect(stageOf("one", PLACE, false, { ...none, ...stages })).toMatch(words);
});
