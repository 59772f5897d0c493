/** Stub until the real one is merged. */
import type { DiscoveryConfig } from "../../config/schema.js";
import type { Container } from "../../identity/container.js";
import type { Declared } from "./declaration.js";

export function declarationsOf(
	{ labels }: Container,
	discovery: Pick<DiscoveryConfig, "labels" | "conventions">,
): Declared {
	const service = labels.get("solisten.service");
	if (service === undefined || !discovery.labels) return { declarations: [], problems: [] };
	const port = labels.get("solisten.port");
	return {
		declarations: [
			{
				service,
				port: port === undefined ? undefined : Number(port),
				weight: undefined,
				mode: undefined,
				hosts: (labels.get("solisten.host") ?? "").split(",").filter((host) => host !== ""),
				ready: undefined,
				drainTimeout: undefined,
				source: "solisten",
			},
		],
		problems: [],
	};
}
