/** The daemon in a few numbers, for whoever asks often: backends are counted anew only once something of them changed. */

import type { DesiredSet } from "./backends/backend.js";
import type { RegistryState } from "./fleet/registry.js";
import type { Proxies } from "./proxies/proxies.js";
import type { Sensor } from "./sensor/sensor.js";
import type { Summary } from "./systemd/status-line.js";

export interface Summarizer {
	/** The desired set is another one. */
	changed(): void;
	summary(): Summary;
}

export function createSummarizer(
	desired: () => DesiredSet | undefined,
	proxies: Pick<Proxies, "status">,
	sensor: () => Pick<Sensor, "state"> | undefined,
	registry: () => RegistryState | undefined,
): Summarizer {
	let counted: Pick<Summary, "services" | "ready" | "out"> | undefined;
	return {
		changed() {
			counted = undefined;
		},
		summary() {
			counted ??= count(desired() ?? []);
			const fleet = registry();
			return {
				...counted,
				proxies: proxies.status().map(({ name, status: { state } }) => ({ name, state })),
				sensor: sensor()?.state().state ?? "up",
				...(fleet !== undefined && { fleet }),
			};
		},
	};
}

function count(set: DesiredSet): Pick<Summary, "services" | "ready" | "out"> {
	const all = set.reduce((sum, { backends }) => sum + backends.length, 0);
	const ready = set.reduce((sum, { backends }) => sum + backends.filter(({ state }) => state === "ready").length, 0);
	return { services: set.length, ready, out: all - ready };
}
