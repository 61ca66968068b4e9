// Package browser has the tests of what people look at: a real Chromium, headless, shows pages while a real
// devguard runs what serves them.
//
// All tests share one Chromium. Each opens tabs in a profile of its own (nothing is cached or stored for the next
// test), and what a page writes on the console is kept: see tab.
package browser
