// Package console is the operator's console: the open sessions as they change, the
// course of a payment, recent payments, terminals, and health in words. It only
// shows. What it shows comes from a Source; to the browser it goes as files that
// are taken as they are, as one stream of server-sent events, and as JSON:
//
//	GET  /                  the page, or the question for the token
//	GET  /console/NAME      its files
//	GET  /console/events    everything that is shown in lists, as it changes
//	GET  /console/order     the course of one order
//	POST /console/login     the token, for a cookie
//	POST /console/logout    the cookie is given back
//
// All addresses in the page are relative, so that a proxy may show the console
// under a path that ends in a slash, and takes that path off.
//
// Without a token the console answers this machine only.
package console
