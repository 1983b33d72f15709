import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { OPTIONS, optionNames } from '../../src/config/options.ts'
import { configurationPage } from '../../src/config/page.ts'

it('docs/configuration.md is what the option table says (npm run docs writes it)', async () => {
  assert.equal(await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8'), configurationPage())
})

it('describes every option once', () => {
  const headings = configurationPage().split('\n').filter((line) => line.startsWith('### '))
  assert.deepEqual(headings.toSorted(), optionNames().map((name) => `### \`${OPTIONS[name].yaml}\``).toSorted())
})

it('links to its sections', () => {
  const page = configurationPage()
  const anchors = page.split('\n').filter((line) => line.startsWith('## ')).map((line) => line.slice(3).toLowerCase().replaceAll(/[^a-z0-9 -]/g, '').replaceAll(' ', '-'))
  assert.deepEqual([...page.matchAll(/^- \[[^\]]+\]\(#([^)]+)\)$/gm)].map(([, anchor]) => anchor), anchors)
})
