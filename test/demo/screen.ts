/** What the demo prints: a line for each thing that happens, with the time since the story began. */

import { styleText } from "node:util";

export interface Screen {
	/** A line of the story: who, and what happened; at a time in milliseconds since the epoch (default: now). */
	line(who: string, what: string, atMs?: number): void;
	/** Text apart from the story. */
	note(text: string): void;
	/** Text that means trouble. */
	trouble(text: string): void;
	/** From here on times are counted. */
	begin(): void;
	/** The story is over: what follows are no lines of it. */
	end(): void;
}

type Style = Parameters<typeof styleText>[0];

const STYLES: Readonly<Record<string, Style>> = {
	blue: "blueBright",
	green: "green",
	red: "red",
	"host a": "blueBright",
	"host b": "green",
	redis: "yellow",
	kernel: "magenta",
	haproxy: "cyan",
	curl: "bold",
};

/** A screen on standard output; in colour only on a terminal, and never with NO_COLOR. */
export function openScreen(): Screen {
	const isColoured = process.stdout.isTTY === true && !process.env["NO_COLOR"];
	const paint = (style: Style | undefined, text: string) =>
		isColoured && style !== undefined ? styleText(style, text) : text;
	const print = (text: string) => void process.stdout.write(`${text}\n`);
	let startMs = Date.now();
	let isOver = false;

	return {
		line(who, what, atMs = Date.now()) {
			if (isOver) return;
			const seconds = Math.max(0, (atMs - startMs) / 1000).toFixed(2);
			const time = paint("dim", `+${seconds} s`.padStart(9));
			print(`${time}  ${paint(STYLES[who], who.padEnd(7))}  ${what}`);
		},
		note: print,
		trouble: (text) => print(paint("red", text)),
		begin() {
			startMs = Date.now();
		},
		end() {
			isOver = true;
		},
	};
}
