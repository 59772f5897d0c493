/** The daemon's status as a command reads it: what it must be, to be understood by this version. */

import { z } from "zod";
import type { FleetView } from "../admin/fleet-view.js";
import { type DaemonStatus, UNFIT } from "../admin/view.js";

const count = z.int().min(0);

export const backend = z.object({
	id: z.string(),
	state: z.enum(["ready", "closing", "drain", "down", "out"]),
	held: z.boolean(),
	reason: z.string(),
	since: z.iso.datetime(),
	unfit: z.enum(UNFIT).exactOptional(),
	host: z.string().exactOptional(),
});

const delays = z.object({ count, medianMs: z.number().exactOptional(), maxMs: z.number().exactOptional() });

const histogram = z.object({ bounds: z.array(z.number()), counts: z.array(count), sum: z.number() });

export const proxy = z.object({
	name: z.string(),
	type: z.string(),
	mode: z.string(),
	state: z.enum(["starting", "applied", "observing", "unreachable", "failed"]),
	why: z.string().exactOptional(),
	serving: z.string().exactOptional(),
	steps: z.array(z.string()).exactOptional(),
	applied: count,
	reloads: count,
	failed: count,
	fastChanges: count,
	failedReloads: count,
	delays: z.object({ listen: histogram, close: histogram, settle: histogram }),
	lastApplied: z.object({ at: z.iso.datetime(), stagesMs: z.record(z.string(), z.number()) }).exactOptional(),
	compared: z
		.object({
			up: delays,
			down: delays,
			unnoticed: count,
			byChecksAlone: count,
			onlyInProxy: z.array(z.string()),
			onlyInSolistend: z.array(z.string()),
			downInProxy: z.array(z.string()),
			unchecked: z.array(z.string()),
		})
		.exactOptional(),
});

const host = z.object({
	host: z.string(),
	zone: z.string().exactOptional(),
	state: z.enum(["live", "draining", "doubtful"]),
	version: z.string(),
	incarnation: count,
	sequence: count,
	backends: count,
	leaseMs: z.number(),
	leaseLeftMs: z.number().exactOptional(),
	lagMs: z.number().exactOptional(),
});

export const fleetView = z.object({
	cluster: z.string(),
	host: z.string(),
	zone: z.string().exactOptional(),
	registry: z.discriminatedUnion("state", [
		z.object({ state: z.literal("up") }),
		z.object({ state: z.literal("frozen"), since: z.iso.datetime(), why: z.string() }),
	]),
	publishing: z.discriminatedUnion("state", [
		z.object({ state: z.literal("off") }),
		z.object({ state: z.literal("current"), incarnation: count, sequence: count }),
		z.object({ state: z.literal("behind"), since: z.iso.datetime(), why: z.string() }),
		z.object({ state: z.literal("refused"), why: z.string() }),
	]),
	draining: z.boolean(),
	offers: count,
	hosts: z.array(host),
	rejected: count,
	lastRejected: z.string().exactOptional(),
	wholeReads: count,
	gaps: count,
	publishMs: z.array(z.number()),
}) satisfies z.ZodType<FleetView>;

export const sensor = z.discriminatedUnion("state", [
	z.object({ state: z.literal("up") }),
	z.object({ state: z.literal("down"), since: z.iso.datetime(), why: z.string() }),
]);

export const daemonStatus = z.object({
	version: z.string(),
	host: z.string(),
	pid: count,
	startedAt: z.iso.datetime(),
	uptimeMs: count,
	config: z.string(),
	listeners: count,
	services: z.array(z.object({ name: z.string(), backends: z.array(backend) })),
	holds: z.array(z.object({ service: z.string(), id: z.string(), state: z.enum(["drain", "down"]) })),
	proxies: z.array(proxy),
	sensor,
	losses: z.record(z.string(), count),
	fleet: fleetView.exactOptional(),
}) satisfies z.ZodType<DaemonStatus>;
