/**
 * The way of a listener to the proxies, step by step: seen, identity, each rule, address, pool, proxies. Pure; decides
 * nothing: it puts in order what the stages say.
 */

import type { StepView } from "../admin/explain-view.js";
import type { ProxyView } from "../admin/view.js";
import type { Decisions } from "../backends/decisions.js";
import type { BackendStatus } from "../backends/status.js";
import type { ContainerLookup } from "../identity/container.js";
import type { Identity } from "../identity/identity.js";
import { hostPort } from "../ip.js";
import type { Known } from "../judged.js";

/** What the other stages say of a listener. */
export interface Said {
	readonly decisions: Decisions;
	/** What became of the backends that it leads to. */
	statusOf(service: string, id: string): BackendStatus | undefined;
	/** The proxies that serve a service. */
	proxiesOf(service: string): readonly Pick<ProxyView, "name" | "state" | "why">[];
}

/** All steps, in order; those of services whose rules do not match come last. */
export function stepsOf(
	{ endpoint, resolved, verdict, claims, isUnmatched, elsewhere }: Omit<Known, "why">,
	said: Said,
): StepView[] {
	const { rules, labels, refused } = said.decisions;
	const [{ pid, backlog, protocol }] = endpoint.sockets;
	const count = endpoint.sockets.length;
	const seen: StepView = {
		step: "seen",
		state: "done",
		text: `pid ${pid} listens (${protocol}, backlog ${backlog}${count > 1 ? `, the first of ${count} sockets` : ""})${stuckText(endpoint)}`,
	};
	const byRule = new Set(rules.flatMap(({ service, matched }) => (matched ? [service] : [])));
	/** Whoever led to it, a rule or the container's own word. */
	const services = new Set([
		...byRule,
		...claims.map(({ backend }) => backend.service),
		...refused.map(({ service }) => service),
	]);
	const matched = [...services].flatMap((service): StepView[] => {
		const text = byRule.has(service) ? "it matches" : "its container says so";
		const rule: StepView = { step: "rule", service, state: "done", text };
		const refusal = refused.find((one) => one.service === service);
		if (refusal !== undefined) {
			const state = refusal.pending ? "waiting" : "no";
			return [rule, { step: "address", service, state, text: refusal.why }];
		}
		const backends = claims.flatMap(({ backend }) => (backend.service === service ? [backend.id] : []));
		return [rule, ...backends.flatMap((id) => inPool(service, id, said))];
	});
	const others = rules.flatMap((rule): StepView[] =>
		rule.matched || services.has(rule.service)
			? []
			: [{ step: "rule", service: rule.service, state: "no", text: rule.why }],
	);
	const steps = [seen, identityStep(resolved.identity, resolved.container), ...matched, ...fleetSteps(elsewhere)];
	// what else a verdict may come from
	const isExplained = verdict.state === "in" || isUnmatched === true || firstWaiting(steps) !== undefined;
	const rest = isExplained ? [] : restSteps(verdict, labels);
	return [...steps, ...rest, ...others];
}

/** What the container declares, where that is what speaks against it. */
function restSteps(verdict: Exclude<Known["verdict"], { state: "in" }>, labels: readonly string[]): StepView[] {
	if (verdict.state === "pending") return [{ step: "rule", state: "waiting", text: verdict.why }];
	return (labels.length > 0 ? labels : [verdict.why]).map((text) => ({ step: "rule", state: "no", text }));
}

/** The first step that is not done; a rule that does not match keeps nobody waiting, nor do other hosts. */
export function firstWaiting(steps: readonly StepView[]): StepView | undefined {
	const isInTheWay = ({ step, service }: StepView) => step !== "fleet" && (step !== "rule" || service === undefined);
	return steps.find((step) => step.state !== "done" && isInTheWay(step));
}

/** What others are told of it. */
function fleetSteps(elsewhere: Known["elsewhere"]): StepView[] {
	if (elsewhere === undefined) return [];
	if (!elsewhere.ok) return [{ step: "fleet", state: "no", text: elsewhere.why }];
	return [
		{ step: "fleet", state: "done", text: `other hosts reach it at ${hostPort(elsewhere.address, elsewhere.port)}` },
	];
}

function identityStep(identity: Identity, container: ContainerLookup | undefined): StepView {
	const { hostname, unit, cgroup, container: id, containerName, image } = identity;
	const known = [
		`hostname ${hostname === "" ? "not known" : hostname}`,
		...(id === undefined
			? []
			: [`container ${id.slice(0, 12)}${containerName === undefined ? "" : ` ${containerName}`}`]),
		...(image === undefined ? [] : [`image ${image}`]),
		...(unit === undefined ? [] : [`unit ${unit}`]),
		...(unit === undefined && id === undefined && cgroup !== undefined ? [`cgroup ${cgroup}`] : []),
	].join(", ");
	return container?.state === "waiting"
		? { step: "identity", state: "waiting", text: `${container.why} (known so far: ${known})` }
		: { step: "identity", state: "done", text: known };
}

/** From its address on. */
function inPool(service: string, id: string, { statusOf, proxiesOf }: Said): StepView[] {
	const address: StepView = { step: "address", service, state: "done", text: id };
	const status = statusOf(service, id);
	if (status === undefined) return [address, { step: "pool", service, state: "waiting", text: "not in the pool yet" }];
	const pool: StepView = {
		step: "pool",
		service,
		state: poolState(status),
		text: `${stateText(status)}: ${status.reason}`,
	};
	if (status.state === "out") return [address, pool];
	const proxies = proxiesOf(service);
	if (proxies.length === 0)
		return [address, pool, { step: "proxy", service, state: "no", text: "no proxy serves the service" }];
	return [address, pool, ...proxies.map((proxy) => proxyStep(service, proxy))];
}

/** That a listener can't serve, also where no service wants it. */
function stuckText({ paused, hung }: Known["endpoint"]): string {
	if (paused !== undefined) return `, and is paused by ${paused.by === "freezer" ? "the freezer" : "a signal"},`;
	return hung === undefined ? "" : ", and accepts nothing,";
}

function poolState({ state, held }: BackendStatus): StepView["state"] {
	switch (state) {
		case "ready":
			return "done";
		case "out":
			return "waiting";
		case "down":
			// by nobody's word: it is in again once it can serve
			return held ? "no" : "waiting";
		case "closing":
		case "drain":
			return "no";
		default:
			return state satisfies never;
	}
}

/** A person's word is shown as theirs. */
export const stateText = ({ state, held }: { readonly state: string; readonly held: boolean }): string =>
	held ? `held (${state})` : state;

function proxyStep(service: string, { name, state, why }: Pick<ProxyView, "name" | "state" | "why">): StepView {
	const step = { step: "proxy", service, proxy: name } as const;
	switch (state) {
		case "applied":
			return { ...step, state: "done", text: "applied" };
		case "observing":
			return { ...step, state: "done", text: "observing: it is only watched, and told nothing" };
		case "starting":
			return { ...step, state: "waiting", text: "starting: it was not looked at yet" };
		case "unreachable":
		case "failed":
			return { ...step, state: "waiting", text: `${state}: ${why ?? "no reason is known"}` };
		default:
			return state satisfies never;
	}
}
