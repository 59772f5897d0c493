/**
 * The convention of Traefik: routers with a rule of hosts, services with a port, from labels. What a container leaves out
 * is taken as Traefik's Docker provider takes it. Pure.
 */

import { printable } from "../../config/wording.js";
import type { Container } from "../../identity/container.js";
import { conventional } from "./convention.js";
import type { Declaration, Declared } from "./declaration.js";
import { hostsOfRule } from "./traefik-rule.js";
import { MAX_HOSTS, mustBe, PORT } from "./values.js";

/** A setting, with the label that has it. */
interface Said {
	readonly label: string;
	readonly text: string;
}

interface Router {
	rule?: Said;
	service?: Said;
}

interface Service {
	port?: Said;
	scheme?: Said;
}

/** What the labels say, by name. */
interface Routing {
	readonly routers: Map<string, Router>;
	readonly services: Map<string, Service>;
}

const LABEL = /^traefik\.http\.(routers|services)\.([^.]+)\.(.+)$/is;

const ONLY_HOSTS = "a rule of Host alone, such as Host(`www.example.org`) || Host(`example.org`)";

/** What Traefik, in Go, takes for true and for false. */
const TRUE = /^(1|t|true)$/i;
const FALSE = /^(0|f|false)$/i;

export function traefik(container: Pick<Container, "labels" | "name" | "exposed">): Declared {
	const problems: string[] = [];
	const routing = routingOf(container);
	if (routing.routers.size === 0 && routing.services.size === 0) return { declarations: [], problems };
	const enable = container.labels.get("traefik.enable")?.trim();
	if (enable !== undefined && !TRUE.test(enable)) {
		if (!FALSE.test(enable)) problems.push(mustBe("traefik.enable", "true or false", enable));
		return { declarations: [], problems };
	}
	const declarations = [...hostsByService(routing, problems)].flatMap(([name, hosts]) =>
		declaration(name, routing.services.get(name) ?? {}, hosts, container.exposed, problems),
	);
	return { declarations, problems };
}

function routingOf({ labels, name }: Pick<Container, "labels" | "name">): Routing {
	const routers = new Map<string, Router>();
	const services = new Map<string, Service>();
	const said = (label: string): Said => ({ label, text: labels.get(label)?.trim() ?? "" });
	for (const label of [...labels.keys()].sort()) {
		const [, kind = "", called = "", rest = ""] = LABEL.exec(label) ?? [];
		const setting = rest.toLowerCase();
		if (kind.toLowerCase() === "routers") {
			const router = entry(routers, called, {});
			if (setting === "rule") router.rule = said(label);
			if (setting === "service") router.service = said(label);
		} else if (called !== "") {
			const service = entry(services, called, {});
			if (setting === "loadbalancer.server.port") service.port = said(label);
			if (setting === "loadbalancer.server.scheme") service.scheme = said(label);
		}
	}
	// Traefik 1 has one of each; what it names neither way it calls after the container.
	if (routers.size === 0 && services.size === 0 && labels.has("traefik.frontend.rule")) {
		const called = labels.get("traefik.backend")?.trim() || name;
		routers.set(called, { rule: said("traefik.frontend.rule") });
		services.set(called, labels.has("traefik.port") ? { port: said("traefik.port") } : {});
	}
	return { routers, services };
}

function entry<T>(entries: Map<string, T>, name: string, none: T): T {
	const known = entries.get(name) ?? none;
	entries.set(name, known);
	return known;
}

/** Which services are served, and for which hosts. */
function hostsByService({ routers, services }: Routing, problems: string[]): Map<string, Set<string>> {
	const served = new Map<string, Set<string>>();
	// Without a router Traefik makes one by a rule of its own configuration, which is not known here.
	if (routers.size === 0) return new Map([...services.keys()].map((name) => [name, new Set()]));
	// Where no service is named there is one, for all routers. Traefik calls it after the container; people know the router.
	const [firstRouter = ""] = routers.keys();
	const [onlyService, ...others] = services.size === 0 ? [firstRouter] : services.keys();
	for (const [name, { rule, service }] of routers) {
		const [wanted = "", provider = "docker"] = service?.text.split("@") ?? [];
		// The service of another provider, such as Traefik's own dashboard, is not in this container.
		if (provider !== "docker") continue;
		if (service !== undefined && !services.has(wanted)) {
			problems.push(mustBe(service.label, "a service that the container's labels name", service.text));
			continue;
		}
		if (service === undefined && others.length > 0) {
			problems.push(`traefik.http.routers.${printable(name)}.service: is missing (the labels name several services)`);
			continue;
		}
		const hosts = rule === undefined ? [] : hostsOfRule(rule.text);
		if (hosts === undefined) {
			if (rule !== undefined) problems.push(mustBe(rule.label, ONLY_HOSTS, rule.text));
			continue;
		}
		const target = service === undefined ? (onlyService ?? "") : wanted;
		const all = entry(served, target, new Set<string>());
		for (const host of hosts) all.add(host);
	}
	return served;
}

function declaration(
	name: string,
	{ port: said, scheme }: Service,
	hosts: ReadonlySet<string>,
	exposed: readonly number[],
	problems: string[],
): Declaration[] {
	if (scheme !== undefined && scheme.text.toLowerCase() !== "http") {
		problems.push(mustBe(scheme.label, "http", scheme.text));
		return [];
	}
	// Traefik takes the lowest port that is exposed.
	const port = said === undefined ? exposed[0] : PORT.parse(said.text);
	if (said !== undefined && port === undefined) {
		problems.push(mustBe(said.label, PORT.what, said.text));
		return [];
	}
	if (hosts.size > MAX_HOSTS) {
		problems.push(`service ${printable(name)} of Traefik's has ${hosts.size} hosts, ${MAX_HOSTS} at most count`);
	}
	return [conventional("traefik", name, port, [...hosts].slice(0, MAX_HOSTS))];
}
