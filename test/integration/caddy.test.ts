import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../host/eventually.js";
import { follow, proxyConfig, rendered, service } from "../host/followed.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";
import { startPortServer } from "../host/port-server.js";
import { startProcess } from "../host/process.js";
import { tempFolder } from "../host/temp-folder.js";

let owned: Lifetime;
let folder: string;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder("solistend-caddy")));
});

afterEach(() => owned.close());

test("a real Caddy accepts the packaged Caddyfile, and follows it through the file driver", async () => {
	const [one, two] = [owned.own(await startPortServer()), owned.own(await startPortServer())];
	const [port, admin] = [await freePort(), await freePort()];
	const file = ["--adapter", "caddyfile", "--config", "{{output}}"];
	const home = { env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } };
	const caddy = ["env", `HOME=${folder}`, "caddy"];
	const proxy = proxyConfig({
		type: "file",
		template: "Caddyfile.hbs",
		output: join(folder, "Caddyfile"),
		check: [...caddy, "validate", ...file],
		reload: [...caddy, "reload", ...file, "--address", `127.0.0.1:${admin}`],
		options: { port, globalLines: [`admin 127.0.0.1:${admin}`] },
	});
	const hosted = (ports: number[]) => service("www", ports, { hosts: ["www.example.org", "*.example.net"] });
	await writeFile(proxy.output, await rendered(proxy, [hosted([])]));
	owned.own(startProcess(["caddy", "run", "--adapter", "caddyfile", "--config", proxy.output], home));
	const at = async (host: string) => {
		const { status, body } = await ask(`http://127.0.0.1:${port}/`, { headers: { host } });
		return status === 200 ? Number(body) : status;
	};
	await eventually("Caddy serves", async () => (await at("www.example.org")) === 503);

	const followed = owned.own(await follow(proxy, [hosted([])]));
	expect(followed.lines).toEqual([]);
	const balances = ["roundrobin", "leastconn", "source", "uri", "random", "first"];
	await followed.change([
		hosted([one.port]),
		...balances.map((balance) => service(balance, [one.port], { balance, hosts: [`${balance}.example.org`] })),
		service("rest", [two.port]),
	]);
	expect(await at("www.example.org")).toBe(one.port);
	expect(await at("api.example.net")).toBe(one.port);
	expect(await at("leastconn.example.org")).toBe(one.port);
	expect(await at("other.example.org")).toBe(two.port);

	await followed.change([hosted([])]);
	expect(await at("www.example.org")).toBe(503);
	expect(await at("other.example.org")).toBe(503);

	const line = await followed.change(
		[hosted([one.port]), service("odd", [1], { balance: "nonsense", hosts: ["odd.example.org"] })],
		"not applied",
	);
	expect(line["reason"]).toContain("caddy validate");
	expect(line["reason"]).toContain("nonsense");
	expect(await at("www.example.org")).toBe(503);
});
