/** Metric to value; lower is better unless the name ends in `ratio` or `mbps`. */
export type Figures = Record<string, number>;
