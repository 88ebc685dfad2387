/* Leaving a group: 35 to every broker that may know it. */
#include <stdlib.h>

#include "base/assert.h"
#include "client/client_internal.h"
#include "wire/headers.h"

#define REQUEST_UNREGISTER_CLIENT 35
#define PATIENCE_MS 1000

struct bl_leave_call {
  struct bl_leave *leave;
  struct bl_outcall call;
};

static void finish(struct bl_timer *timer, int64_t now_ms) {
  struct bl_leave *leave = BL_CONTAINER(timer, struct bl_leave, timer);
  (void)now_ms;
  free(leave->calls);
  leave->calls = NULL;
  leave->done(leave);
}

static void end_when_all_answered(struct bl_leave *leave) {
  if (leave->open == 0) bl_timer_set(leave->client->timers, &leave->timer, 0);
}

static void on_answer(struct bl_outcall *call, bl_err err, const struct bl_command *response) {
  struct bl_leave *leave = BL_CONTAINER(call, struct bl_leave_call, call)->leave;
  (void)err; /* a broker that does not hear it finds out by the closed connection */
  (void)response;
  leave->open--;
  end_when_all_answered(leave);
}

static uint32_t count_links(const struct bl_client *client) {
  uint32_t count = 0;
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&client->brokers, &cursor)) != NULL) {
    const struct bl_broker *broker = entry->value;
    for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next)
      count++;
  }
  return count;
}

void bl_client__leave(struct bl_client *client, const struct bl_heartbeat_part *part,
                      struct bl_leave *leave) {
  struct bl_unregister_client_header header = {.client_id = bl_slice_text(client->id)};
  if (part->is_consumer) {
    BL_SET(&header, unregister_client, consumer_group, part->group);
  } else {
    BL_SET(&header, unregister_client, producer_group, part->group);
  }
  struct bl_outgoing outgoing = {
      .code = REQUEST_UNREGISTER_CLIENT, .table = &bl_unregister_client_table, .header = &header};
  leave->client = client;
  leave->open = 0;
  leave->timer.fire = finish;
  leave->calls = calloc(count_links(client) + 1, sizeof(*leave->calls));
  BL_ASSERT(leave->calls != NULL);
  size_t cursor = 0;
  const struct bl_map_entry *entry;
  while ((entry = bl_map_next(&client->brokers, &cursor)) != NULL) {
    const struct bl_broker *broker = entry->value;
    for (struct bl_list *node = broker->links.next; node != &broker->links; node = node->next) {
      const struct bl_broker_link *link = BL_CONTAINER(node, struct bl_broker_link, node);
      uint64_t conn = bl_remoting_conn_of(client->remoting, link->address);
      if (conn == 0) continue; /* without a connection the broker has no member of ours */
      struct bl_leave_call *one = &leave->calls[leave->open];
      one->leave = leave;
      one->call.done = on_answer;
      if (bl_remoting_call(client->remoting, conn, &outgoing, PATIENCE_MS, &one->call) == BL_OK)
        leave->open++;
    }
  }
  end_when_all_answered(leave);
}

void bl_client__leave_cancel(struct bl_leave *leave) {
  if (leave->calls == NULL) return;
  for (uint32_t i = 0; leave->calls[i].leave != NULL; i++)
    bl_remoting_cancel(&leave->calls[i].call);
  bl_timer_cancel(leave->client->timers, &leave->timer);
  free(leave->calls);
  leave->calls = NULL;
}
