import type { Declaration } from "../../../../src/backends/labels/declaration.js";
import type { Container } from "../../../../src/identity/container.js";

/** A container by number, with what matters to a test. */
export const containerOf = (number: number, more: Partial<Container> = {}): Container => ({
	id: number.toString(16).padStart(64, "0"),
	name: `app-${number}`,
	image: "app:1",
	labels: new Map(),
	env: new Map(),
	exposed: [],
	published: [],
	stopSignal: undefined,
	...more,
});

export const declarationOf = (service: string, more: Partial<Declaration> = {}): Declaration => ({
	service,
	port: undefined,
	weight: undefined,
	mode: undefined,
	hosts: [],
	ready: undefined,
	drainTimeout: undefined,
	source: "solisten",
	...more,
});
