import { expect, test } from "vitest";
import { signalNames, toldToStop } from "../../../src/backends/stopping.js";

const numbers = { SIGHUP: 1, SIGQUIT: 3, SIGTERM: 15 };

test("a signal counts where the service names it, with the last time of several", () => {
	const signals = signalNames(["SIGTERM", "SIGQUIT"], numbers);
	expect(toldToStop(new Map([[15, 10]]), signals)).toEqual({ signal: "SIGTERM", atNs: 10 });
	const several = new Map([
		[15, 10],
		[3, 30],
		[1, 50],
	]);
	expect(toldToStop(several, signals)).toEqual({ signal: "SIGQUIT", atNs: 30 });
});

test("other signals, none, and a service that names none count as nothing", () => {
	const signals = signalNames(["SIGTERM"], numbers);
	expect(toldToStop(new Map([[1, 10]]), signals)).toBeUndefined();
	expect(toldToStop(undefined, signals)).toBeUndefined();
	expect(toldToStop(new Map([[15, 10]]), signalNames([], numbers))).toBeUndefined();
});

test("a name without a number on this machine is left out", () => {
	expect([...signalNames(["SIGPWR", "SIGHUP"], numbers)]).toEqual([[1, "SIGHUP"]]);
});
