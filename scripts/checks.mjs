import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ENVIRONMENT, ROOT } from './setup/root.mjs'

/**
 * Everything that needs no other program: types, lint, dead code, then every test but those of test/e2e and test/crash, or those
 * that `files` names. Resolves with the exit code; the last line printed is `N passed, N failed`.
 */
export async function runChecks(node, files) {
  let passed = 0
  let failed = 0
  const count = (ok) => (ok ? passed++ : failed++)

  for (const [label, program, ...args] of [
    ['types', 'node_modules/typescript/bin/tsc', '--noEmit'],
    ['lint', 'node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings'],
    ['dead code', 'node_modules/knip/bin/knip.js', '--no-progress'],
  ]) {
    const { code, output } = await execute(node, [join(ROOT, program), ...args], { silent: true })
    count(code === 0)
    console.log(code === 0 ? `✔ ${label}` : `✖ ${label}\n${output}`)
  }

  const tests = files.length > 0 ? files : testFiles()
  const { code, output } = await execute(node, ['--test', '--test-reporter=spec', '--test-timeout=300000', ...tests])
  const totals = Object.fromEntries([...stripColours(output).matchAll(/^ℹ (\w+) (\d+)$/gm)].map(([, key, n]) => [key, Number(n)]))
  passed += totals.pass ?? 0
  const failures = (totals.fail ?? 0) + (totals.cancelled ?? 0)
  // a runner that dies, or finds nothing, has not passed
  failed += failures > 0 ? failures : Number(code !== 0 || !(totals.pass > 0))

  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

function testFiles() {
  return readdirSync(join(ROOT, 'test'), { recursive: true })
    .filter((path) => path.endsWith('.test.ts') && !/^(e2e|crash)\b/.test(path))
    .map((path) => join('test', path))
    .toSorted()
}

function execute(node, args, { silent = false } = {}) {
  const child = spawn(node, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT })
  let output = ''
  const collect = (chunk, to) => {
    output += chunk
    if (!silent) to.write(chunk)
  }
  child.stdout.setEncoding('utf8').on('data', (chunk) => collect(chunk, process.stdout))
  child.stderr.setEncoding('utf8').on('data', (chunk) => collect(chunk, process.stderr))
  const stop = (signal) => child.kill(signal)
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      resolve({ code: code ?? 1, output })
    })
  })
}

function stripColours(text) {
  // eslint-disable-next-line no-control-regex -- it is the escape character that begins a colour
  return text.replaceAll(/\u001B\[\d+m/g, '')
}
