package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// What the client can do besides sending and sharing: every way of consuming, all at once. The servers run with the delay
// levels of lib/interop.py (LEVELS): level 1 is one second, 2 two.

type box struct {
	sync.Mutex
	got []string
	at  []time.Time
}

func (b *box) put(text string) int {
	b.Lock()
	defer b.Unlock()
	b.got = append(b.got, text)
	b.at = append(b.at, time.Now())
	return len(b.got)
}

func (b *box) list() []string {
	b.Lock()
	defer b.Unlock()
	return append([]string(nil), b.got...)
}

// has waits for this many deliveries.
func (b *box) has(count int, limit time.Duration) bool {
	return await(limit, func() bool { return len(b.list()) >= count })
}

type listener func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

func listen(group, topic string, sel consumer.MessageSelector, f listener,
	more ...consumer.Option) rocketmq.PushConsumer {
	options := append([]consumer.Option{consumer.WithGroupName(group), consumer.WithInstance(group + topic),
		consumer.WithNsResolver(primitive.NewPassthroughResolver(namesrv)),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)}, more...)
	c, err := rocketmq.NewPushConsumer(options...)
	must(err, "consumer "+group)
	must(c.Subscribe(topic, sel, f), "subscribe "+topic)
	must(c.Start(), "start consumer "+group)
	return c
}

func sendOne(p rocketmq.Producer, m *primitive.Message, name string) {
	_, err := p.SendSync(context.Background(), m)
	if err != nil {
		that(false, name+": sent", err)
	}
}

var all = consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}

// retry: told to come later, a message comes again at its level, until it is consumed.
func retry(broker string) {
	createTopic("%RETRY%go-retry", broker) // else the client knows it only after 30 s
	createTopic("GoRetry", broker)
	b := &box{}
	c := listen("go-retry", "GoRetry", all, func(ctx context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		m := msgs[0]
		context, _ := primitive.GetConcurrentlyCtx(ctx)
		context.DelayLevelWhenNextConsume = 2
		n := b.put(fmt.Sprintf("%s %d %s %s", m.Topic, m.ReconsumeTimes, m.GetTags(), m.GetKeys()))
		if n < 3 {
			return consumer.ConsumeRetryLater, nil
		}
		return consumer.ConsumeSuccess, nil
	})
	p := newProducer("go-retry-producer")
	sendOne(p, message("GoRetry", 1), "retry")
	b.has(3, 40*time.Second)
	want := "[GoRetry 0 tag1 key1 GoRetry 1 tag1 key1 GoRetry 2 tag1 key1]"
	that(fmt.Sprint(b.list()) == want, "retry: delivered until consumed, with topic, tag and key", b.list())
	if len(b.at) >= 3 {
		pause := b.at[2].Sub(b.at[1])
		that(pause > 1900*time.Millisecond && pause < 5*time.Second, "retry: after the level's two seconds", pause)
	}
	_ = p.Shutdown()
	_ = c.Shutdown()
}

// dlq: after the group's maximum a message is a dead letter.
func dlq(broker string) {
	createTopic("%RETRY%go-dlq", broker)
	createTopic("GoDlq", broker)
	b := &box{}
	c := listen("go-dlq", "GoDlq", all, func(ctx context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		context, _ := primitive.GetConcurrentlyCtx(ctx)
		context.DelayLevelWhenNextConsume = 1
		b.put(fmt.Sprint(msgs[0].ReconsumeTimes))
		return consumer.ConsumeRetryLater, nil
	}, consumer.WithMaxReconsumeTimes(1))
	p := newProducer("go-dlq-producer")
	sendOne(p, message("GoDlq", 7), "dlq")
	b.has(2, 40*time.Second)
	time.Sleep(2 * time.Second)
	that(fmt.Sprint(b.list()) == "[0 1]", "dlq: delivered twice", b.list())
	dead := &box{}
	d := listen("go-dlq-reader", "%DLQ%go-dlq", all, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			dead.put(fmt.Sprintf("%s %s %s", m.Body, m.GetKeys(), m.GetProperty("RETRY_TOPIC")))
		}
		return consumer.ConsumeSuccess, nil
	})
	dead.has(1, 30*time.Second)
	that(fmt.Sprint(dead.list()) == "[body-7 key7 GoDlq]", "dlq: then a dead letter", dead.list())
	_ = p.Shutdown()
	_ = c.Shutdown()
	_ = d.Shutdown()
}

// order: the messages of a queue one after the other, also when one fails twice.
func order(broker string) {
	createTopic("GoOrder", broker)
	b := &box{}
	failed := 0
	c := listen("go-order", "GoOrder", all, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			if string(m.Body) == "3" && failed < 2 {
				failed++
				return consumer.SuspendCurrentQueueAMoment, nil
			}
			b.put(fmt.Sprintf("%d/%s", m.Queue.QueueId, m.Body))
		}
		return consumer.ConsumeSuccess, nil
	}, consumer.WithConsumerOrder(true), consumer.WithConsumeMessageBatchMaxSize(1))
	p := newProducer("go-order-producer")
	for i := 0; i < 40; i++ {
		m := primitive.NewMessage("GoOrder", []byte(fmt.Sprint(i)))
		m.WithShardingKey(fmt.Sprint(i % 4))
		sendOne(p, m, "order")
	}
	b.has(40, 60*time.Second)
	last := map[string]int{}
	wrong := ""
	for _, g := range b.list() {
		var n int
		queue, body, _ := strings.Cut(g, "/")
		fmt.Sscan(body, &n)
		if before, ok := last[queue]; ok && n < before {
			wrong += fmt.Sprintf(" %d before %d", before, n)
		}
		last[queue] = n
	}
	that(len(b.list()) == 40, "order: 40 consumed, each once", len(b.list()))
	that(wrong == "", "order: each queue in the order sent", wrong)
	that(failed == 2, "order: one failed twice", failed)
	_ = p.Shutdown()
	_ = c.Shutdown()
}

func sql(broker string) {
	createTopic("GoSql", broker)
	b := &box{}
	sel := consumer.MessageSelector{Type: consumer.SQL92, Expression: "n BETWEEN 10 AND 13 OR TAGS = 'special'"}
	c := listen("go-sql", "GoSql", sel, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			b.put(string(m.Body))
		}
		return consumer.ConsumeSuccess, nil
	})
	p := newProducer("go-sql-producer")
	for i := 0; i < 20; i++ {
		m := message("GoSql", i)
		if i == 5 {
			m.WithTag("special")
		}
		sendOne(p, m, "sql")
	}
	b.has(5, 40*time.Second)
	time.Sleep(500 * time.Millisecond)
	got := b.list()
	sort.Strings(got)
	that(fmt.Sprint(got) == "[body-10 body-11 body-12 body-13 body-5]", "sql: what the expression lets pass", got)
	_ = p.Shutdown()
	_ = c.Shutdown()
}

func delay(broker string) {
	createTopic("GoDelay", broker)
	b := &box{}
	c := listen("go-delay", "GoDelay", all, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			b.put(fmt.Sprintf("%s %d", m.Body, m.StoreTimestamp-m.BornTimestamp))
		}
		return consumer.ConsumeSuccess, nil
	})
	p := newProducer("go-delay-producer")
	m := message("GoDelay", 1)
	m.WithDelayTimeLevel(2)
	sendOne(p, m, "delay")
	m = message("GoDelay", 2)
	m.WithProperty("TIMER_DELAY_MS", "2500")
	sendOne(p, m, "delay")
	b.has(2, 40*time.Second)
	good := len(b.list()) == 2
	for _, g := range b.list() {
		var body string
		var after int
		fmt.Sscan(g, &body, &after)
		want := 2000
		if body == "body-2" {
			want = 2500
		}
		good = good && after > want-1100 && after < want+2500
	}
	that(good, "delay: a level and a timer, when they are due", b.list())
	_ = p.Shutdown()
	_ = c.Shutdown()
}

func broadcast(broker string) {
	createTopic("GoBroadcast", broker)
	boxes := []*box{{}, {}}
	var consumers []rocketmq.PushConsumer
	for i := range boxes {
		b := boxes[i]
		consumers = append(consumers, listen("go-broadcast", "GoBroadcast", all, func(_ context.Context,
			msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range msgs {
				b.put(string(m.Body))
			}
			return consumer.ConsumeSuccess, nil
		}, consumer.WithConsumerModel(consumer.BroadCasting), consumer.WithInstance(fmt.Sprint("broadcast", i))))
	}
	p := newProducer("go-broadcast-producer")
	time.Sleep(2 * time.Second)
	for i := 0; i < 20; i++ {
		sendOne(p, message("GoBroadcast", i), "broadcast")
	}
	boxes[0].has(20, 40*time.Second)
	boxes[1].has(20, 40*time.Second)
	that(len(boxes[0].list()) == 20 && len(boxes[1].list()) == 20, "broadcast: both get every message",
		fmt.Sprint(len(boxes[0].list()), len(boxes[1].list())))
	_ = p.Shutdown()
	for _, c := range consumers {
		_ = c.Shutdown()
	}
}

func request(broker string) {
	createTopic("GoRequest", broker)
	answers := newProducer("go-answers")
	c := listen("go-request", "GoRequest", all, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			reply, err := consumer.CreateReplyMessage(m, nil)
			if err == nil {
				reply.Body = append([]byte("re: "), m.Body...) // the client's helper forgets it
				_, err = answers.SendSync(context.Background(), reply)
			}
			if err != nil {
				fmt.Println("# request: answer: " + err.Error())
			}
		}
		return consumer.ConsumeSuccess, nil
	})
	asks := newProducer("go-asks")
	// the client's first heartbeat may come after the answer: a requester is known from the second message on
	sendOne(asks, primitive.NewMessage("GoRequest2", []byte("warm")), "request")
	got, err := ask(asks, "question")
	that(got == "re: question", "request: the answer comes back", fmt.Sprint(got, " ", err))
	_ = asks.Shutdown()
	_ = answers.Shutdown()
	_ = c.Shutdown()
}

func ask(asks rocketmq.Producer, body string) (string, error) {
	var err error
	for i := 0; i < 3; i++ {
		var reply *primitive.Message
		reply, err = asks.Request(context.Background(), 4*time.Second, primitive.NewMessage("GoRequest",
			[]byte(body)))
		if err == nil {
			return string(reply.Body), nil
		}
	}
	return "", err
}

// reset: an operator sends a consumer that is there back to the beginning (222).
func reset(broker string) {
	createTopic("GoReset", broker)
	b := &box{}
	c := listen("go-reset", "GoReset", all, func(_ context.Context,
		msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, m := range msgs {
			b.put(string(m.Body))
		}
		return consumer.ConsumeSuccess, nil
	})
	p := newProducer("go-reset-producer")
	for i := 0; i < 16; i++ {
		sendOne(p, message("GoReset", i), "reset")
	}
	b.has(16, 40*time.Second)
	that(len(b.list()) == 16, "reset: consumed before", len(b.list()))
	code, err := call(broker, 222, map[string]string{"topic": "GoReset", "group": "go-reset", "timestamp": "0",
		"isForce": "true", "queueId": "-1", "offset": "-1"})
	that(err == nil && code == 0, "reset: the broker takes it", fmt.Sprint(code, err))
	for i := 16; i < 32; i++ {
		sendOne(p, message("GoReset", i), "reset")
	}
	b.has(48, 60*time.Second)
	that(len(b.list()) >= 48, "reset: all is consumed again", len(b.list()))
	_ = p.Shutdown()
	_ = c.Shutdown()
}

// call is one request in the JSON header form; the answer's code.
func call(addr string, code int, fields map[string]string) (int, error) {
	head, _ := json.Marshal(map[string]any{"code": code, "language": "GO", "version": 473, "opaque": 1, "flag": 0,
		"serializeTypeCurrentRPC": "JSON", "extFields": fields})
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(head)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(head)))
	if _, err = conn.Write(append(frame, head...)); err != nil {
		return 0, err
	}
	sizes := make([]byte, 8)
	if _, err = io.ReadFull(conn, sizes); err != nil {
		return 0, err
	}
	body := make([]byte, binary.BigEndian.Uint32(sizes[4:])&0xFFFFFF)
	if _, err = io.ReadFull(conn, body); err != nil {
		return 0, err
	}
	var answer struct {
		Code int `json:"code"`
	}
	err = json.Unmarshal(body, &answer)
	return answer.Code, err
}

// ways runs all of them side by side.
func ways(broker string) {
	var done sync.WaitGroup
	for _, f := range []func(string){retry, dlq, order, sql, delay, broadcast, request, reset} {
		done.Add(1)
		go func(f func(string)) {
			defer done.Done()
			f(broker)
		}(f)
	}
	done.Wait()
}
