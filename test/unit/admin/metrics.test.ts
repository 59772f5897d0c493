import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { metricsText } from "../../../src/admin/metrics.js";
import { daemonStatus, fleetView, histogram, hostView, proxyView } from "./status.js";

const since = "2026-01-01T00:00:00.000Z";

const STATUS = daemonStatus({
	services: [
		{ name: "empty", backends: [] },
		{
			name: "web",
			backends: [
				{ id: "10.0.0.1:80", state: "ready", held: false, reason: "it listens", since },
				{ id: "10.0.0.2:80", state: "ready", held: false, reason: "it listens", since },
				{ id: "10.0.0.3:80", state: "drain", held: true, reason: "a person drained it", since },
				{ id: "10.0.0.4:80", state: "down", held: false, reason: "hung", since, unfit: "hung" },
			],
		},
	],
	proxies: [
		proxyView({
			applied: 3,
			reloads: 2,
			fastChanges: 40,
			failedReloads: 1,
			delays: { listen: histogram([1, 2, 0, 1], 9.5), close: histogram(), settle: histogram() },
		}),
		proxyView({ name: "watched", state: "observing" }),
		proxyView({ name: "front", state: "failed", failed: 7 }),
	],
	losses: { ringFull: 5, undecodable: 0 },
});

const FLEET = daemonStatus({
	fleet: fleetView({
		hosts: [
			hostView({ lagMs: 4 }),
			hostView({ host: "app-2", lagMs: 1.5 }),
			hostView({ host: "app-3", state: "doubtful", backends: 40 }),
		],
		rejected: 2,
		wholeReads: 5,
		gaps: 1,
		publishMs: [3, 1, 2, 20],
	}),
});

/** The samples of a scrape, each on its line. */
const samples = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("the metrics", () => {
	test("tell of services, proxies, losses and the version", async () => {
		const others = /_(?:bucket|sum|count)\{|^process_/;
		expect(samples(await metricsText(STATUS)).filter((line) => !others.test(line))).toEqual([
			'solistend_backends{service="empty",state="ready"} 0',
			'solistend_backends{service="empty",state="closing"} 0',
			'solistend_backends{service="empty",state="drain"} 0',
			'solistend_backends{service="empty",state="down"} 0',
			'solistend_backends{service="empty",state="out"} 0',
			'solistend_backends{service="web",state="ready"} 2',
			'solistend_backends{service="web",state="closing"} 0',
			'solistend_backends{service="web",state="drain"} 1',
			'solistend_backends{service="web",state="down"} 1',
			'solistend_backends{service="web",state="out"} 0',
			'solistend_backends_unfit{service="empty",why="stopping"} 0',
			'solistend_backends_unfit{service="empty",why="paused"} 0',
			'solistend_backends_unfit{service="empty",why="hung"} 0',
			'solistend_backends_unfit{service="web",why="stopping"} 0',
			'solistend_backends_unfit{service="web",why="paused"} 0',
			'solistend_backends_unfit{service="web",why="hung"} 1',
			'solistend_proxy_up{proxy="edge"} 1',
			'solistend_proxy_up{proxy="watched"} 1',
			'solistend_proxy_up{proxy="front"} 0',
			'solistend_proxy_applied_total{proxy="edge"} 3',
			'solistend_proxy_applied_total{proxy="watched"} 0',
			'solistend_proxy_applied_total{proxy="front"} 0',
			'solistend_proxy_reloads_total{proxy="edge",result="ok"} 2',
			'solistend_proxy_reloads_total{proxy="edge",result="failed"} 1',
			'solistend_proxy_reloads_total{proxy="watched",result="ok"} 0',
			'solistend_proxy_reloads_total{proxy="watched",result="failed"} 0',
			'solistend_proxy_reloads_total{proxy="front",result="ok"} 0',
			'solistend_proxy_reloads_total{proxy="front",result="failed"} 0',
			'solistend_proxy_failures_total{proxy="edge"} 0',
			'solistend_proxy_failures_total{proxy="watched"} 0',
			'solistend_proxy_failures_total{proxy="front"} 7',
			'solistend_proxy_fast_changes_total{proxy="edge"} 40',
			'solistend_proxy_fast_changes_total{proxy="watched"} 0',
			'solistend_proxy_fast_changes_total{proxy="front"} 0',
			"solistend_sensor_up 1",
			"solistend_listeners 12",
			"solistend_held_backends 0",
			'solistend_losses_total{reason="ringFull"} 5',
			'solistend_losses_total{reason="undecodable"} 0',
			`solistend_build_info{version="1.2.3",node="${process.versions.node}",host="edge-1"} 1`,
		]);
	});

	test("tell how long changes took, each bound with all that is below it", async () => {
		const { proxies } = STATUS;
		const text = samples(await metricsText(daemonStatus({ proxies: proxies.slice(0, 1) })));
		expect(text.filter((line) => line.startsWith("solistend_listen_to_applied_seconds"))).toEqual([
			'solistend_listen_to_applied_seconds_bucket{le="0.001",proxy="edge"} 1',
			'solistend_listen_to_applied_seconds_bucket{le="0.01",proxy="edge"} 3',
			'solistend_listen_to_applied_seconds_bucket{le="1",proxy="edge"} 3',
			'solistend_listen_to_applied_seconds_bucket{le="+Inf",proxy="edge"} 4',
			'solistend_listen_to_applied_seconds_sum{proxy="edge"} 9.5',
			'solistend_listen_to_applied_seconds_count{proxy="edge"} 4',
		]);
		expect(text).toContain('solistend_close_to_applied_seconds_count{proxy="edge"} 0');
		expect(text).toContain('solistend_settle_wait_seconds_count{proxy="edge"} 0');
	});

	test("have as many series for a service with 1,000 backends as for one with none", async () => {
		const backends = Array.from({ length: 1000 }, (_, i) => {
			const id = `10.0.${i >> 8}.${i & 255}:80`;
			return { id, state: "ready", held: false, reason: "it listens", since } as const;
		});
		const count = async (of: typeof backends) =>
			samples(await metricsText(daemonStatus({ services: [{ name: "web", backends: of }] }))).length;
		expect(await count(backends)).toBe(await count([]));
	});

	test("say when the sensor is down", async () => {
		const sensor = { state: "down", since, why: "the watcher thread died" } as const;
		expect(samples(await metricsText(daemonStatus({ sensor })))).toContain("solistend_sensor_up 0");
	});

	test("tell of a fleet, where there is one", async () => {
		const ofFleet = (text: string) => samples(text).filter((line) => line.startsWith("solistend_fleet_"));
		expect(ofFleet(await metricsText(STATUS))).toEqual([]);
		expect(ofFleet(await metricsText(FLEET))).toEqual([
			"solistend_fleet_registry_up 1",
			"solistend_fleet_published 1",
			"solistend_fleet_draining 0",
			"solistend_fleet_offers 2",
			"solistend_fleet_remote_backends 46",
			'solistend_fleet_hosts{state="live"} 2',
			'solistend_fleet_hosts{state="draining"} 0',
			'solistend_fleet_hosts{state="doubtful"} 1',
			'solistend_fleet_publish_lag_seconds{stat="median"} 0.002',
			'solistend_fleet_publish_lag_seconds{stat="p99"} 0.02',
			'solistend_fleet_publish_lag_seconds{stat="max"} 0.02',
			'solistend_fleet_apply_lag_seconds{stat="median"} 0.0015',
			'solistend_fleet_apply_lag_seconds{stat="p99"} 0.004',
			'solistend_fleet_apply_lag_seconds{stat="max"} 0.004',
			"solistend_fleet_rejected_values_total 2",
			"solistend_fleet_whole_reads_total 5",
			"solistend_fleet_gaps_total 1",
		]);
	});

	test("say when the registry is out of reach, or takes nothing; who tells of nothing has published nothing", async () => {
		const registry = { state: "frozen", since, why: "it is out of memory" } as const;
		const publishing = { state: "behind", since, why: "it is out of memory" } as const;
		const frozen = samples(await metricsText(daemonStatus({ fleet: fleetView({ registry, publishing }) })));
		expect(frozen).toContain("solistend_fleet_registry_up 0");
		expect(frozen).toContain("solistend_fleet_published 0");
		const silent = await metricsText(daemonStatus({ fleet: fleetView({ publishing: { state: "off" } }) }));
		expect(silent).not.toContain("solistend_fleet_published");
	});

	test("are the same at every scrape: nothing adds up", async () => {
		const text = async () => samples(await metricsText(STATUS)).filter((line) => !line.startsWith("process_"));
		expect(await text()).toEqual(await text());
	});

	test("are all in docs/operations.md, with their labels", async () => {
		const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
		const all = [...samples(await metricsText(STATUS)), ...samples(await metricsText(FLEET))];
		const forms = all
			.filter((line) => !/_(?:sum|count)\{/.test(line))
			.map((line) => line.replace(/="[^"]*"/g, "").replace(/ .*/, ""))
			.map((form) => form.replace("_bucket{le,", "{"));
		for (const form of new Set(forms)) expect(page).toContain(`\`${form}\``);
	});
});
