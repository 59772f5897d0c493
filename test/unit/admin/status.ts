/** A daemon's status for tests, with some parts set. */

import type { FleetView, HostView } from "../../../src/admin/fleet-view.js";
import type { HistogramView } from "../../../src/admin/histogram-view.js";
import type { DaemonStatus, ProxyView } from "../../../src/admin/view.js";

/** Bounds of 1 ms, 10 ms and 1 s. */
export const histogram = (counts: readonly number[] = [0, 0, 0, 0], sum = 0): HistogramView => ({
	bounds: [0.001, 0.01, 1],
	counts,
	sum,
});

export const proxyView = (changes: Partial<ProxyView> = {}): ProxyView => ({
	name: "edge",
	type: "haproxy",
	mode: "apply",
	state: "applied",
	applied: 0,
	reloads: 0,
	failed: 0,
	fastChanges: 0,
	failedReloads: 0,
	delays: { listen: histogram(), close: histogram(), settle: histogram() },
	...changes,
});

export const hostView = (changes: Partial<HostView> = {}): HostView => ({
	host: "app-1",
	state: "live",
	version: "1.2.3",
	incarnation: 1_700_000_000_000,
	sequence: 7,
	backends: 3,
	leaseMs: 10_000,
	...changes,
});

export const fleetView = (changes: Partial<FleetView> = {}): FleetView => ({
	cluster: "default",
	host: "edge-1",
	registry: { state: "up" },
	publishing: { state: "current", incarnation: 1_700_000_000_001, sequence: 12 },
	draining: false,
	offers: 2,
	hosts: [],
	rejected: 0,
	wholeReads: 0,
	gaps: 0,
	publishMs: [],
	...changes,
});

export const daemonStatus = (changes: Partial<DaemonStatus> = {}): DaemonStatus => ({
	version: "1.2.3",
	host: "edge-1",
	pid: 4711,
	startedAt: "2026-01-01T00:00:00.000Z",
	uptimeMs: 60_000,
	config: "/etc/solistend/solistend.yaml",
	listeners: 12,
	services: [],
	holds: [],
	proxies: [],
	sensor: { state: "up" },
	losses: { ringFull: 0 },
	...changes,
});
