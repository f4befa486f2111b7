export default {
  files: ['build/test/**/*.test.js'],
  timeout: '2m',
  workerThreads: true,
  concurrency: 2,
};
