// Command interop checks a name server and its broker with the official Go client over remoting.
//
//	interop NAMESRV BROKER
//
// It prints a line per claim: "ok NAME" or "not ok NAME | what was seen".
package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const queues = 8

var (
	namesrv []string
	failed  bool
	lock    sync.Mutex
)

func that(good bool, name string, seen any) {
	lock.Lock()
	defer lock.Unlock()
	if good {
		fmt.Println("ok " + name)
		return
	}
	failed = true
	text := strings.ReplaceAll(fmt.Sprint(seen), "\n", " ")
	fmt.Printf("not ok %s | %s\n", name, text)
}

// await polls until what is true, or the time is over.
func await(limit time.Duration, what func() bool) bool {
	for end := time.Now().Add(limit); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func must(err error, what string) {
	if err != nil {
		that(false, what, err)
		os.Exit(1)
	}
}

func createTopic(name string, broker string) {
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(namesrv)))
	must(err, "admin client")
	defer a.Close()
	err = a.CreateTopic(context.Background(), admin.WithTopicCreate(name),
		admin.WithBrokerAddrCreate(broker), admin.WithReadQueueNums(queues),
		admin.WithWriteQueueNums(queues))
	must(err, "create topic "+name)
}

func newProducer(group string) rocketmq.Producer {
	p, err := rocketmq.NewProducer(producer.WithGroupName(group), producer.WithInstanceName(group),
		producer.WithNsResolver(primitive.NewPassthroughResolver(namesrv)),
		producer.WithRetry(2))
	must(err, "producer "+group)
	must(p.Start(), "start producer "+group)
	return p
}

func message(topic string, n int) *primitive.Message {
	m := primitive.NewMessage(topic, []byte(fmt.Sprintf("body-%d", n)))
	m.WithTag(fmt.Sprintf("tag%d", n%3))
	m.WithKeys([]string{fmt.Sprintf("key%d", n)})
	m.WithProperty("n", fmt.Sprint(n))
	return m
}

// tally counts how often each message came, and to whom.
type tally struct {
	sync.Mutex
	seen   map[string]int
	by     [2]int64
	broken string
}

func (t *tally) distinct() int {
	t.Lock()
	defer t.Unlock()
	return len(t.seen)
}

func (t *tally) again() int {
	t.Lock()
	defer t.Unlock()
	count := 0
	for _, n := range t.seen {
		count += n - 1
	}
	return count
}

func startConsumer(group, topic, instance string, sel consumer.MessageSelector, who int,
	t *tally) rocketmq.PushConsumer {
	c, err := rocketmq.NewPushConsumer(consumer.WithGroupName(group), consumer.WithInstance(instance),
		consumer.WithNsResolver(primitive.NewPassthroughResolver(namesrv)),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithConsumerModel(consumer.Clustering))
	must(err, "consumer "+group)
	err = c.Subscribe(topic, sel, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		atomic.AddInt64(&t.by[who], int64(len(msgs)))
		t.Lock()
		defer t.Unlock()
		for _, m := range msgs {
			t.seen[string(m.Body)]++
			n := strings.TrimPrefix(string(m.Body), "body-")
			if m.GetKeys() != "key"+n || m.GetProperty("n") != n {
				t.broken = m.String()
			}
		}
		return consumer.ConsumeSuccess, nil
	})
	must(err, "subscribe "+topic)
	must(c.Start(), "start consumer "+group)
	return c
}

// send covers sync, one-way, async and batch; the sum of what it sends is returned.
func send(topic string) int {
	p := newProducer("go-producer")
	defer p.Shutdown()
	ctx := context.Background()
	ok := 0
	for n := 0; n < 1000; n++ {
		r, err := p.SendSync(ctx, message(topic, n))
		if err != nil {
			that(false, "sync send", err)
			return 0
		}
		if r.Status == primitive.SendOK && r.OffsetMsgID != "" {
			ok++
		}
	}
	that(ok == 1000, "1,000 sync sends", ok)
	var done sync.WaitGroup
	var good int64
	for n := 1000; n < 2000; n++ {
		done.Add(1)
		err := p.SendAsync(ctx, func(_ context.Context, r *primitive.SendResult, err error) {
			if err == nil && r.Status == primitive.SendOK {
				atomic.AddInt64(&good, 1)
			}
			done.Done()
		}, message(topic, n))
		if err != nil {
			that(false, "async send", err)
			done.Done()
		}
		if n%50 == 49 {
			done.Wait()
		}
	}
	done.Wait()
	that(good == 1000, "1,000 async sends", good)
	ok = 0
	for n := 2000; n < 3000; n += 50 {
		var batch []*primitive.Message
		for k := n; k < n+50; k++ {
			batch = append(batch, message(topic, k))
		}
		r, err := p.SendSync(ctx, batch...)
		if err == nil && r.Status == primitive.SendOK {
			ok += 50
		}
	}
	that(ok == 1000, "1,000 messages in batches of 50", ok)
	for n := 3000; n < 3200; n++ {
		if err := p.SendOneWay(ctx, message(topic, n)); err != nil {
			that(false, "one-way send", err)
		}
	}
	big := primitive.NewMessage(topic, bytes.Repeat([]byte("body-"), 40000))
	big.WithTag("big")
	r, err := p.SendSync(ctx, big)
	that(err == nil && r.Status == primitive.SendOK, "a compressible body of 200,000 bytes", err)
	noise := make([]byte, 4*1024*1024+1)
	rand.New(rand.NewSource(1)).Read(noise) // the client packs what it can
	_, err = p.SendSync(ctx, primitive.NewMessage(topic, noise))
	that(err != nil, "a body over the limit is refused", "accepted")
	return 3200
}

func group(topic string) {
	t := &tally{seen: map[string]int{}}
	all := consumer.MessageSelector{Type: consumer.TAG, Expression: "tag0 || tag1 || tag2"}
	one := startConsumer("go-group", topic, "one", all, 0, t)
	two := startConsumer("go-group", topic, "two", all, 1, t)
	time.Sleep(3 * time.Second) // both have their queues
	count := send(topic)
	await(40*time.Second, func() bool { return t.distinct() >= count })
	time.Sleep(time.Second)
	that(t.distinct() == count, fmt.Sprintf("%d messages consumed by a group of 2", count),
		t.distinct())
	that(t.again() == 0, "none consumed twice", t.again())
	that(t.by[0] > 0 && t.by[1] > 0, "both consumers have a share", t.by)
	that(t.broken == "", "keys and properties arrive", t.broken)
	_ = one.Shutdown()
	_ = two.Shutdown()
}

func tags(topic string) {
	t := &tally{seen: map[string]int{}}
	sel := consumer.MessageSelector{Type: consumer.TAG, Expression: "tag1"}
	c := startConsumer("go-tags", topic, "tags", sel, 0, t)
	await(40*time.Second, func() bool { return t.distinct() >= 1067 })
	time.Sleep(500 * time.Millisecond)
	that(t.distinct() == 1067, "one tag: 1,067 of 3,201 messages", t.distinct())
	that(t.again() == 0, "one tag: none twice", t.again())
	_ = c.Shutdown()
}

func main() {
	rlog.SetLogLevel("error")
	namesrv = []string{os.Args[1]}
	topic := "GoTopic"
	createTopic(topic, os.Args[2])
	group(topic)
	tags(topic)
	ways(os.Args[2])
	if failed {
		os.Exit(1)
	}
}
