/** Colours of requests that were answered and that failed, for light and dark pages. */
export const requestsStyle = `<style>
svg { font: 12px system-ui, sans-serif }
.card { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .faint { fill: #59636e } .axis { stroke: #818b98 }
.event { fill: #eac54f; fill-opacity: .3 } .fine { fill: #2563eb } .failed { fill: #d1242f }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .faint { fill: #9198a1 }
.event { fill: #9e6a03; fill-opacity: .45 } .fine { fill: #58a6ff } .failed { fill: #ff7b72 }
}
</style>`;
