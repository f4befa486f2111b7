// GaQace: decides by fitness, with the documented configuration of the genetic algorithm. Up to `exactRoutes` routes
// it computes the optimum; beyond, or if told to, it evolves. Every decision starts its random numbers anew from the
// seed, so that two ends decide alike.

import { QstpError } from '../error.ts';
import { concludeByFitness, decideExact, FITNESS_DEFAULTS, fitnessOf, measureRoutes } from './exact.ts';
import type { FitnessConfig } from './exact.ts';
import { beginDecision, decideSimple, QACE_ROUTES_MAX } from './simple.ts';
import type { QaceDecision, QaceEngine, QaceRequest } from './simple.ts';

export interface QaceGaConfig extends FitnessConfig {
  /** At least 8. */
  readonly populationSize: number;
  /** At least 4. */
  readonly maxGenerations: number;
  /** Generations without a better individual after which evolution ends; at least 4. */
  readonly maxStaleGenerations: number;
  readonly mutationProbability: number;
  readonly crossoverRate: number;
  /** Share of the population that has offspring. */
  readonly selectionRate: number;
  /** Share of offspring in the next generation. */
  readonly replacementRate: number;
  /** Share of the population that is sure to survive. */
  readonly elitismRate: number;
  /** At least 2. */
  readonly tournamentSize: number;
  /** u32. */
  readonly rngSeed: number;
  /** Up to this many routes the optimum is computed; 0: evolution always. */
  readonly exactRoutes: number;
}

export const QACE_GA_DEFAULTS: QaceGaConfig = {
  ...FITNESS_DEFAULTS,
  populationSize: 48,
  maxGenerations: 64,
  maxStaleGenerations: 16,
  mutationProbability: 0.18,
  crossoverRate: 0.75,
  selectionRate: 0.6,
  replacementRate: 0.65,
  elitismRate: 0.04,
  tournamentSize: 7,
  rngSeed: 0,
  exactRoutes: 64,
};

export interface GaQace extends QaceEngine {
  /** As it is used: given values, raised to their least ones. */
  readonly config: QaceGaConfig;
}

const TWO_32 = 4294967296;
const POPULATION_MAX = 10000;
const GENERATIONS_MAX = 100000;

function refuse(name: string, wanted: string, value: number): never {
  throw new QstpError('invalid_input', 'qace: ' + name + ' takes ' + wanted + ', not ' + value);
}

/** `value`, or `least` if it is below; refuses what is no whole number or above `most`. */
function atLeast(least: number, most: number, value: number, name: string): number {
  if (!(value >= 0 && value <= most && Math.floor(value) === value)) {
    refuse(name, 'a whole number up to ' + most, value);
  }
  return value < least ? least : value;
}

function rate(value: number, name: string): number {
  if (!(value >= 0 && value <= 1)) refuse(name, 'a number from 0 to 1', value);
  return value;
}

function checked(config: QaceGaConfig): QaceGaConfig {
  const w = config.weights;
  const weight = (value: number, name: string): number => atLeast(0, 1000000, value, 'weights.' + name);
  return {
    weights: {
      latency: weight(w.latency, 'latency'),
      loss: weight(w.loss, 'loss'),
      threat: weight(w.threat, 'threat'),
      jitter: weight(w.jitter, 'jitter'),
      congestion: weight(w.congestion, 'congestion'),
      hopPenalty: weight(w.hopPenalty, 'hopPenalty'),
      qosGain: weight(w.qosGain, 'qosGain'),
      freshness: weight(w.freshness, 'freshness'),
      stability: weight(w.stability, 'stability'),
    },
    duplicatePenalty: atLeast(0, TWO_32, config.duplicatePenalty, 'duplicatePenalty'),
    threatRerouteScore: atLeast(0, TWO_32, config.threatRerouteScore, 'threatRerouteScore'),
    lossRekeyThreshold: atLeast(0, TWO_32, config.lossRekeyThreshold, 'lossRekeyThreshold'),
    populationSize: atLeast(8, POPULATION_MAX, config.populationSize, 'populationSize'),
    maxGenerations: atLeast(4, GENERATIONS_MAX, config.maxGenerations, 'maxGenerations'),
    maxStaleGenerations: atLeast(4, GENERATIONS_MAX, config.maxStaleGenerations, 'maxStaleGenerations'),
    mutationProbability: rate(config.mutationProbability, 'mutationProbability'),
    crossoverRate: rate(config.crossoverRate, 'crossoverRate'),
    selectionRate: rate(config.selectionRate, 'selectionRate'),
    replacementRate: rate(config.replacementRate, 'replacementRate'),
    elitismRate: rate(config.elitismRate, 'elitismRate'),
    tournamentSize: atLeast(2, POPULATION_MAX, config.tournamentSize, 'tournamentSize'),
    rngSeed: atLeast(0, TWO_32 - 1, config.rngSeed, 'rngSeed'),
    exactRoutes: atLeast(0, QACE_ROUTES_MAX, config.exactRoutes, 'exactRoutes'),
  };
}

// ---- Random numbers: xoshiro128++ (Blackman and Vigna), the same on every engine -------------------------

interface Dice {
  readonly s: Int32Array;
}

function roll(dice: Dice): number {
  const s = dice.s;
  const sum = (s[0]! + s[3]!) | 0;
  const result = (((sum << 7) | (sum >>> 25)) + s[0]!) >>> 0;
  const t = s[1]! << 9;
  s[2] = s[2]! ^ s[0]!;
  s[3] = s[3]! ^ s[1]!;
  s[1] = s[1]! ^ s[2]!;
  s[0] = s[0]! ^ s[3]!;
  s[2] = s[2]! ^ t;
  s[3] = (s[3]! << 11) | (s[3]! >>> 21);
  return result;
}

function seedDice(dice: Dice, seed: number): void {
  const s = dice.s;
  s[0] = seed;
  s[1] = 0x9e3779b9;
  s[2] = 0x243f6a88;
  s[3] = 0xb7e15162;
  // The seed is in one word: let it reach the others.
  for (let i = 0; i < 32; i++) roll(dice);
}

/** A whole number from 0 to `limit` - 1. */
function below(dice: Dice, limit: number): number {
  return Math.floor((roll(dice) * limit) / TWO_32);
}

function chance(dice: Dice, probability: number): boolean {
  return roll(dice) < probability * TWO_32;
}

// ---- Evolution -------------------------------------------------------------------------------------------

/** The survivors, `parents` of them, then their offspring. */
interface Generation {
  readonly genes: Uint8Array;
  readonly fitness: Float64Array;
  parents: number;
  size: number;
}

/** Takes the winner of a tournament out of the first `size` of `pool`; of equals, the one drawn last wins. */
function takeWinner(
  dice: Dice,
  pool: Int32Array,
  size: number,
  rounds: number,
  fitness: Float64Array,
): number {
  let at = below(dice, size);
  for (let i = 1; i < rounds; i++) {
    const other = below(dice, size);
    if (fitness[pool[other]!]! >= fitness[pool[at]!]!) at = other;
  }
  const winner = pool[at]!;
  pool[at] = pool[size - 1]!;
  return winner;
}

/** Moves the fittest of the first `size` of `pool` to its end. */
function takeFittest(pool: Int32Array, size: number, fitness: Float64Array): number {
  let at = 0;
  for (let i = 1; i < size; i++) if (fitness[pool[i]!]! > fitness[pool[at]!]!) at = i;
  const fittest = pool[at]!;
  pool[at] = pool[size - 1]!;
  return fittest;
}

interface Evolution {
  /** Decides `request` into `out`, all but its action. */
  run(request: QaceRequest, out: QaceDecision): void;
}

function createEvolution(config: QaceGaConfig): Evolution {
  const population = config.populationSize;
  const mating = Math.ceil(config.selectionRate * population);
  const elites = Math.ceil(config.elitismRate * population);
  const capacity = population + mating;
  const dice: Dice = { s: new Int32Array(4) };
  const pool = new Int32Array(capacity);
  const young = new Int32Array(capacity);
  const chosen = new Int32Array(capacity);
  const bases = new Float64Array(QACE_ROUTES_MAX);
  const seen = new Uint8Array(QACE_ROUTES_MAX);
  const best = new Uint8Array(QACE_ROUTES_MAX);

  /** Chooses who survives into `to`: elites, offspring and parents by tournaments, the fitter rather first. */
  const select = (from: Generation, to: Generation, n: number): void => {
    const { fitness } = from;
    const rounds = config.tournamentSize;
    let count = 0;
    for (let i = 0; i < from.size; i++) pool[i] = i;
    let left = from.size;
    while (count < elites && left > 0) chosen[count++] = takeFittest(pool, left--, fitness);
    let [parents, offspring] = [0, 0];
    for (let i = 0; i < left; i++) {
      if (pool[i]! < from.parents) pool[parents++] = pool[i]!;
      else young[offspring++] = pool[i]!;
    }
    const share = Math.ceil(config.replacementRate * (population - count));
    const full = (): boolean => count >= population;
    for (let i = 0; i < share && offspring > 0 && !full(); i++) {
      chosen[count++] = takeWinner(dice, young, offspring--, rounds, fitness);
    }
    while (!full() && parents > 0) chosen[count++] = takeWinner(dice, pool, parents--, rounds, fitness);
    while (!full() && offspring > 0) chosen[count++] = takeWinner(dice, young, offspring--, rounds, fitness);
    to.parents = to.size = count;
    for (let i = 0; i < to.parents; i++) {
      const winner = takeWinner(dice, chosen, count--, rounds, fitness);
      to.fitness[i] = fitness[winner]!;
      to.genes.set(from.genes.subarray(winner * n, winner * n + n), i * n);
    }
  };

  /** Appends offspring: copies of the first, pairwise crossed and then mutated. */
  const breed = (g: Generation, n: number): void => {
    const { genes } = g;
    const first = g.parents;
    const count = mating < g.parents ? mating : g.parents;
    genes.copyWithin(first * n, 0, count * n);
    g.size = first + count;
    for (let i = first; i + 1 < g.size; i += 2) {
      if (!chance(dice, config.crossoverRate)) continue;
      for (let swaps = n >> 1; swaps > 0; swaps--) {
        const at = i * n + below(dice, n);
        const gene = genes[at]!;
        genes[at] = genes[at + n]!;
        genes[at + n] = gene;
      }
    }
    for (let i = first; i < g.size; i++) {
      if (chance(dice, config.mutationProbability)) genes[i * n + below(dice, n)] = below(dice, n);
    }
  };

  const run = (request: QaceRequest, out: QaceDecision): void => {
    const n = request.routes.length;
    const penalty = measureRoutes(request, config, bases);
    const make = (): Generation => ({
      genes: new Uint8Array(capacity * n),
      fitness: new Float64Array(capacity),
      parents: population,
      size: population,
    });
    let [now, next] = [make(), make()];
    let score = -Infinity;
    /** Rates the individuals from `from` on; true if one is better than all before. */
    const rated = (g: Generation, from: number): boolean => {
      let better = false;
      for (let i = from; i < g.size; i++) {
        const fitness = fitnessOf(g.genes, i * n, n, bases, penalty, config, seen);
        g.fitness[i] = fitness;
        if (fitness <= score) continue;
        score = fitness;
        best.set(g.genes.subarray(i * n, i * n + n));
        better = true;
      }
      return better;
    };
    seedDice(dice, config.rngSeed);
    for (let i = 0; i < population * n; i++) now.genes[i] = below(dice, n);
    rated(now, 0);
    let [generation, stale] = [0, 0];
    while (stale < config.maxStaleGenerations && generation < config.maxGenerations) {
      generation++;
      select(now, next, n);
      breed(next, n);
      stale = rated(next, next.parents) ? 0 : stale + 1;
      [now, next] = [next, now];
    }
    express(n, out);
    out.score = score;
    out.generations = generation;
    out.staleGenerations = stale;
    out.confidence = 1 - stale / generation;
  };

  /** The order that the best genes stand for: by first occurrence, then the missing routes. */
  const express = (n: number, out: QaceDecision): void => {
    let count = 0;
    for (let i = 0; i < n; i++) seen[i] = 0;
    for (let i = 0; i < 2 * n; i++) {
      const gene = i < n ? best[i]! : i - n;
      if (seen[gene] === 1) continue;
      seen[gene] = 1;
      out.order[count++] = gene;
    }
  };
  return { run };
}

/** Throws QstpError `invalid_input` for values no configuration may have. */
export function createGaQace(overrides: Partial<QaceGaConfig> = {}): GaQace {
  const config = checked({ ...QACE_GA_DEFAULTS, ...overrides });
  const bases = new Float64Array(config.exactRoutes);
  let evolution: Evolution | null = null;
  return {
    config,
    evaluate(request, out) {
      const n = request.routes.length;
      if (n === 1) return decideSimple(request, out);
      if (n <= config.exactRoutes) return decideExact(request, config, bases, out);
      beginDecision(request, out);
      if (evolution === null) evolution = createEvolution(config);
      evolution.run(request, out);
      return concludeByFitness(request, config, out);
    },
  };
}
