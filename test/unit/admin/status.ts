/** A daemon's status for tests, with some parts set. */

import type { DaemonStatus, ProxyView } from "../../../src/admin/view.js";

export const proxyView = (changes: Partial<ProxyView> = {}): ProxyView => ({
	name: "edge",
	type: "haproxy",
	mode: "apply",
	state: "applied",
	applied: 0,
	reloads: 0,
	failed: 0,
	fastChanges: 0,
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
