/* The body of REGISTER_BROKER. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/register/register.h"

static void the_body_has_every_topic_and_the_version(void **state) {
  (void)state;
  struct bl_clock_fake clock;
  struct bl_broker *broker = calloc(1, sizeof(*broker));
  struct bl_broker_settings settings = {.broker_permission = 6};
  struct bl_buf body;
  struct bl_topic *topic;
  bool changed;
  bl_clock_fake_init(&clock, 1700000000000);
  broker->settings = &settings;
  bl_topics_init(&broker->topics, &clock.clock);
  bl_buf_init(&body, 65536);
  struct bl_topic_change change = {
      .name = BL_SLICE("T"), .read_queues = 4, .write_queues = 3, .perm = 6};
  assert_int_equal(bl_topics_put(&broker->topics, &change, &topic, &changed), BL_OK);
  change = (struct bl_topic_change){.name = BL_SLICE("U"),
                                    .read_queues = 1,
                                    .write_queues = 1,
                                    .perm = 2,
                                    .order = true,
                                    .attributes = BL_SLICE("{\"message.type\":\"FIFO\"}")};
  assert_int_equal(bl_topics_put(&broker->topics, &change, &topic, &changed), BL_OK);
  bl_registrar_write_body(broker, &body);
  bl_buf_put_char(&body, '\0');
  assert_string_equal(
      body.data,
      "{\"filterServerList\":[],\"topicConfigSerializeWrapper\":{\"dataVersion\":{\"counter\":2,"
      "\"stateVersion\":0,\"timestamp\":1700000000000},\"topicConfigTable\":{"
      "\"T\":{\"attributes\":{},\"order\":false,\"perm\":6,\"readQueueNums\":4,"
      "\"topicFilterType\":\"SINGLE_TAG\",\"topicName\":\"T\",\"topicSysFlag\":0,"
      "\"writeQueueNums\":3},"
      "\"U\":{\"attributes\":{\"message.type\":\"FIFO\"},\"order\":true,\"perm\":2,"
      "\"readQueueNums\":1,"
      "\"topicFilterType\":\"SINGLE_TAG\",\"topicName\":\"U\",\"topicSysFlag\":0,"
      "\"writeQueueNums\":1}}}}");
  bl_buf_fini(&body);
  /* A broker that may not be written tells so of every topic. */
  settings.broker_permission = 4;
  assert_int_equal(bl_registrar_perm(broker, bl_topics_find(&broker->topics, BL_SLICE("T"))), 4);
  assert_int_equal(bl_registrar_perm(broker, topic), 0);
  bl_topics_fini(&broker->topics);
  free(broker);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_body_has_every_topic_and_the_version)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
