package client

import "time"

// AnswerWithin shortens how long one request waits for its answer.
func (c *Client) AnswerWithin(limit time.Duration) { c.answer, c.cancel = limit, limit }
