import { describe, expect, test } from "vitest";
import { SERVICE_DEFAULTS, type Service } from "../../../src/config/schema.js";
import type { OfferedService } from "../../../src/fleet/offer.js";
import { createRemoteServices } from "../../../src/fleet/remote-services.js";

const declared = (name: string, rest: Partial<OfferedService> = {}): OfferedService => ({
	name,
	mode: "http",
	hosts: [],
	drainTimeout: 5000,
	...rest,
});
const on = (host: string, ...services: OfferedService[]) => ({ host, services });
const own = (hosts: string[] = []): Service => ({ ...SERVICE_DEFAULTS, hosts });

describe("services by label of other hosts", () => {
	test("are there with what their hosts say together, behind those of this host", () => {
		const services = createRemoteServices();
		const shop = (host: string) => declared("shop", { hosts: [host] });
		expect(services.take([on("c", shop("c.example.org")), on("b", shop("b.example.org"))])).toBe(true);
		const { shop: found } = services.beside({});
		expect(found).toMatchObject({ mode: "http", hosts: ["b.example.org", "c.example.org"], drainTimeout: 5000 });
		expect(found?.order).toBeGreaterThan(1000);
		expect(services.take([on("c", shop("c.example.org")), on("b", shop("b.example.org"))])).toBe(false);
		expect(services.beside({})["shop"]).toBe(found);
	});

	test("take neither a name nor a DNS name of this host, nor one of another that was there first", () => {
		const services = createRemoteServices();
		services.take([on("b", declared("shop"), declared("api", { hosts: ["api.example.org"] }))]);
		services.take([
			on("a", declared("apo", { hosts: ["api.example.org"] })),
			on("b", declared("shop"), declared("api", { hosts: ["api.example.org"] })),
		]);
		expect(Object.keys(services.beside({}))).toEqual(["shop", "api"]);
		expect(Object.keys(services.beside({ shop: own() }))).toEqual(["api"]);
		expect(Object.keys(services.beside({ web: own(["API.example.org"]) }))).toEqual(["shop"]);
	});

	test("keep their mode while one of their hosts agrees", () => {
		const services = createRemoteServices();
		services.take([on("b", declared("db", { mode: "tcp" }))]);
		services.take([on("a", declared("db")), on("b", declared("db", { mode: "tcp" }))]);
		expect(services.beside({})["db"]?.mode).toBe("tcp");
		services.take([on("a", declared("db")), on("b")]);
		expect(services.beside({})["db"]?.mode).toBe("http");
	});

	test("stay while their host is gone, and go when it is there and has forgotten them", () => {
		const services = createRemoteServices([declared("old")]);
		services.take([on("b", declared("shop"))]);
		expect(services.take([])).toBe(false);
		expect(Object.keys(services.beside({}))).toEqual(["old", "shop"]);
		expect(services.take([on("b")])).toBe(true);
		expect(Object.keys(services.beside({}))).toEqual(["old"]);
		expect(services.all()).toEqual([declared("old")]);
		expect(services.forget("old")).toBe(true);
		expect(services.all()).toEqual([]);
	});
});
