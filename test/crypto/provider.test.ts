import test from 'ava';
import { micro } from '../../src/crypto/micro.ts';
import { noble } from '../../src/crypto/noble.ts';
import { providerSuite } from './provider-suite.ts';

providerSuite(test, noble);
providerSuite(test, micro);
