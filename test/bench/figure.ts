/** A measured figure beside its goal. */
export interface Figure {
	readonly what: string;
	readonly measured: string;
	/** As the project's goals have it; `-` where there is none. */
	readonly goal: string;
	readonly met: boolean | undefined;
}
