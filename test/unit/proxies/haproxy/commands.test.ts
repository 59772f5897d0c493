import fc from "fast-check";
import { expect, test } from "vitest";
import { commandsOf, isDone, type ServerStep, splitAnswers } from "../../../../src/proxies/haproxy/commands.js";

const of = { backend: "web", server: "s1" };

/** As HAProxy 2.6.12 and 3.0.11 answer. */
test.each<[ServerStep, string[], string[], boolean]>([
	[
		{ kind: "address", ...of, address: "fd00::1", port: 80 },
		["set server web/s1 addr fd00::1 port 80"],
		["IP changed from '127.0.0.1' to 'fd00::1', port changed from '1' to '80' by 'stats socket command'"],
		true,
	],
	[
		{ kind: "address", ...of, address: "10.0.0.1", port: 81 },
		["set server web/s1 addr 10.0.0.1 port 81"],
		["no need to change the addr, port changed from '80' to '81' by 'stats socket command'"],
		true,
	],
	[
		{ kind: "address", ...of, address: "10.0.0.1", port: 81 },
		["set server web/s1 addr 10.0.0.1 port 81"],
		["port changed from '80' to '81' by 'stats socket command'"],
		true,
	],
	[
		{ kind: "address", ...of, address: "10.0.0.1", port: 81 },
		["set server web/s1 addr 10.0.0.1 port 81"],
		["no need to change the addr, no need to change the port by 'stats socket command'"],
		true,
	],
	[
		{ kind: "address", ...of, address: "10.0.0.1", port: 81 },
		["set server web/s1 addr 10.0.0.1 port 81"],
		["nothing changed"],
		true,
	],
	[{ kind: "state", ...of, state: "drain" }, ["set server web/s1 state drain"], [""], true],
	[{ kind: "state", ...of, state: "ready" }, ["set server web/s1 state ready"], ["No such server."], false],
	[{ kind: "weight", ...of, weight: 7 }, ["set server web/s1 weight 7"], ["Permission denied"], false],
	[{ kind: "checks", ...of, on: false }, ["disable health web/s1"], [""], true],
	[{ kind: "up", ...of }, ["set server web/s1 health up"], [""], true],
	[
		{ kind: "add", ...of, address: "fd00::1", port: 80, weight: 7, options: " check maxconn 9" },
		["add server web/s1 [fd00::1]:80 weight 7 check maxconn 9"],
		["New server registered."],
		true,
	],
	[
		{ kind: "delete", ...of },
		["wait 200ms srv-removable web/s1", "del server web/s1"],
		["Done.", "Server deleted."],
		true,
	],
	[
		{ kind: "delete", ...of },
		["wait 200ms srv-removable web/s1", "del server web/s1"],
		["Wait delay expired.", "Server still has connections attached to it, cannot remove it."],
		false,
	],
])("%j is %j", (step, commands, answers, done) => {
	expect(commandsOf(step)).toEqual(commands);
	expect(isDone(step, answers)).toBe(done);
});

test("answers in one text are told apart, whether they say something or not", () => {
	const line = fc.stringMatching(/^[A-Za-z.' ]{1,30}$/).filter((text) => text.trim() === text);
	const answers = fc.array(
		fc.oneof(
			fc.constant(""),
			line,
			fc.tuple(line, line).map((lines) => lines.join("\n")),
		),
		{
			minLength: 1,
		},
	);
	fc.assert(
		fc.property(answers, (all) => {
			const text = all.map((answer) => (answer === "" ? "\n" : `${answer}\n\n`)).join("");
			expect(splitAnswers(text, all.length)).toEqual(all);
		}),
	);
});
