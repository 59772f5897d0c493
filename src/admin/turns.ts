/**
 * Answers that are given one after another, with pauses: however many ask, and however often, that takes no more than a
 * third of the daemon's time, and what listens and closes is followed in between. Knows nothing of what is asked.
 */

/** After each answer, and so many times as long as it took. */
const PAUSE_FACTOR = 2;

/** Does something when its turn comes. Whatever it fails with is told to who wanted it, and holds up nobody else. */
export type InTurn = (work: () => Promise<void>) => Promise<void>;

export function createTurns(): InTurn {
	/** When the next one may begin. */
	let free: Promise<void> = Promise.resolve();
	return (work) => {
		let tookMs = 0;
		const done = free.then(async () => {
			const beginMs = performance.now();
			await work();
			tookMs = performance.now() - beginMs;
		});
		free = done.catch(() => {}).then(() => pause(Math.floor(PAUSE_FACTOR * tookMs)));
		return done;
	};
}

/** None for what took no time: who hung up meanwhile, by the thousand, keeps nobody waiting. */
function pause(ms: number): Promise<void> | undefined {
	if (ms === 0) return undefined;
	return new Promise((resolve) => {
		setTimeout(resolve, ms).unref();
	});
}
