export default {
  files: ['build/test/**/*.test.js'],
  timeout: '2m',
  workerThreads: false,
  concurrency: 2,
};
