import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { configurationPage } from '../../src/config/page.ts'

it('docs/configuration.md is what the option table says (npm run docs writes it)', async () => {
  assert.equal(await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8'), configurationPage())
})
