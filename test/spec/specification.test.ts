import { REGISTRIES } from './registries.ts'
import { specificationSuite } from './suite.ts'

for (const [kind, start] of Object.entries(REGISTRIES)) specificationSuite(kind, start)
