package follower

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// line is a budget of ten calls per second, and those who wait for it.
type budgetLine struct {
	*budget
	t     *testing.T
	ctx   context.Context
	began time.Time
	wg    sync.WaitGroup
}

// inLine runs a test in a bubble: its clock stands still while somebody works.
func inLine(t *testing.T, test func(l *budgetLine)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		work, stop := context.WithCancel(t.Context())
		l := &budgetLine{t: t, ctx: work, began: time.Now()}
		l.budget = (&budgets{rate: 10, work: work, wg: &l.wg}).of("group")
		test(l)
		stop()
		l.wg.Wait() // nothing goes on after the end
	})
}

// calls makes n calls at once and returns when each of them had its turn, in order.
func (l *budgetLine) calls(n int, routine bool) (at []time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if routine {
				turn := make(chan struct{})
				l.later(false, func() { close(turn) })
				<-turn
			} else if err := l.wait(l.ctx, streams); err != nil {
				l.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(l.began))
		})
	}
	all.Wait()
	return at
}

func (l *budgetLine) took(at []time.Duration, least, most time.Duration) {
	l.t.Helper()
	if took := at[len(at)-1]; took < least || took > most {
		l.t.Errorf("%d calls took %s, want %s to %s", len(at), took, least, most)
	}
}

func TestCallsAreFreeWhileTheProviderWorks(t *testing.T) {
	inLine(t, func(l *budgetLine) { l.took(l.calls(1000, false), 0, 0) })
}

// They may come two at a time.
func TestRoutineQuestionsKeepTheRate(t *testing.T) {
	inLine(t, func(l *budgetLine) { l.took(l.calls(21, true), 1800*time.Millisecond, 2*time.Second) })
}

// One call after the other does not get around the rate.
func TestRateOfSingleCalls(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		for range 20 {
			l.calls(1, true)
		}
		l.took(l.calls(1, true), 2*time.Second, 4*time.Second)
	})
}

func TestEveryCallKeepsTheRateWhileTheProviderFails(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, 0)
		l.took(l.calls(21, false), 2*time.Second, 2*time.Second)
	})
}

// Once the provider answers again, thousands return within seconds, and not at once.
func TestRateGrowsWhenTheProviderIsBack(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, 0)
		l.calls(1, false)
		l.succeeded(questions)
		at := l.calls(2000, false)
		l.took(at, 500*time.Millisecond, 3*time.Second)
		early := 0
		for _, t := range at {
			if t < 300*time.Millisecond {
				early++
			}
		}
		if early > 20 {
			l.t.Errorf("%d calls in the first 300 ms", early)
		}
		l.took(l.calls(1, false), 0, 4*time.Second)
	})
}

// One failure more ends the recovery.
func TestFailureDuringRecovery(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, 0)
		l.succeeded(questions)
		l.failed(questions, 0)
		l.took(l.calls(21, false), 2*time.Second, 2*time.Second)
	})
}

// Questions that are answered do not say that streams can be opened.
func TestStreamsFailWhileQuestionsAreAnswered(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(streams, 0)
		l.succeeded(questions)
		l.took(l.calls(21, false), 2*time.Second, 2*time.Second)
		l.succeeded(streams)
		l.took(l.calls(2000, false), 2*time.Second, 5*time.Second)
	})
}

// Only streams fail: the next attempt does not wait until all questions are asked,
// and the questions do not wait until all attempts are made.
func TestTheKindThatFailsAloneIsTried(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(streams, 0)
		turns := make(chan kind, 40)
		for _, k := range []kind{questions, streams} {
			for range 20 {
				go func() {
					if l.wait(l.ctx, k) == nil {
						turns <- k
					}
				}()
			}
			synctest.Wait()
		}
		var got [2]int
		for range 11 {
			got[<-turns]++
		}
		if got[questions] < 5 || got[streams] < 5 {
			l.t.Errorf("of the first turns %d are for questions and %d for streams", got[questions], got[streams])
		}
	})
}

// Nobody calls before the time that the provider named, also if a call that was on
// its way succeeds meanwhile; a shorter time does not replace a longer one.
func TestRetryAfterPausesTheGroup(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, 5*time.Second)
		l.failed(questions, time.Second)
		l.succeeded(questions)
		at := l.calls(10, false)
		if at[0] < 5*time.Second || at[len(at)-1] > 6*time.Second {
			l.t.Errorf("got %v", at)
		}
	})
}

// Questions that come one after the other, and then many at once: no second has more
// than the rate.
func TestRoutineQuestionsOfAnySecond(t *testing.T) {
	for _, rate := range []int{7, 10, 13, 33} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			inLine(t, func(l *budgetLine) {
				l.budgets.rate = float64(rate)
				came := make(chan time.Time, 200)
				ask := func() { l.later(false, func() { came <- time.Now() }) }
				for range 50 {
					ask()
					time.Sleep(time.Second / 10)
				}
				for range 100 {
					ask()
				}
				var turns []time.Time
				for range 150 {
					turns = append(turns, <-came)
				}
				for i := rate; i < len(turns); i++ {
					if took := turns[i].Sub(turns[i-rate]); took < time.Second {
						l.t.Fatalf("%d turns, from %s on, in %s", rate+1, turns[i-rate].Sub(l.began), took)
					}
				}
			})
		})
	}
}

// The first question about an order goes before the routine ones that wait.
func TestFirstQuestions(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.budgets.rate = 5 // one at a time
		l.calls(1, true)
		turns := make(chan string, 3)
		l.later(false, func() { turns <- "routine" })
		l.later(false, func() { turns <- "routine" })
		l.later(true, func() { turns <- "first" })
		for i, want := range []string{"first", "routine", "routine"} {
			if got := <-turns; got != want {
				l.t.Errorf("turn %d: got a %s question, want a %s one", i+1, got, want)
			}
		}
	})
}

// A routine question that has become urgent leaves the line, once.
func TestUrgentQuestion(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.calls(10, true)
		q := l.later(false, func() { l.t.Error("the turn came all the same") })
		if !l.leave(q) || l.leave(q) {
			l.t.Error("the question was not in the line, or twice")
		}
		l.took(l.calls(1, true), time.Second, 1200*time.Millisecond)
	})
}

// Whoever leaves the line does not use up a turn.
func TestWaitThatIsGivenUp(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, 0)
		l.calls(1, false)
		ctx, cancel := context.WithCancel(l.ctx)
		done := make(chan error)
		for range 5 {
			go func() { done <- l.wait(ctx, questions) }()
		}
		synctest.Wait()
		cancel()
		for range 5 {
			if err := <-done; err == nil {
				l.t.Error("a turn was given to somebody who had left")
			}
		}
		l.took(l.calls(1, false), 0, 100*time.Millisecond)
	})
}

// A stop ends everything, also while the provider wants to be left alone for long.
func TestStopDuringAPause(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, time.Hour)
		ctx, cancel := context.WithTimeout(l.ctx, time.Second)
		defer cancel()
		if err := l.wait(ctx, questions); err == nil {
			l.t.Error("a turn was given in the pause")
		}
	})
}

func TestGroupsHaveBudgetsOfTheirOwn(t *testing.T) {
	inLine(t, func(l *budgetLine) {
		l.failed(questions, time.Hour)
		if l.budgets.of("group") != l.budget {
			t.Error("the group has another budget now")
		}
		l.budget = l.budgets.of("another")
		l.took(l.calls(5, false), 0, 0)
	})
}
