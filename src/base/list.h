/* An intrusive doubly linked list. Pure. A zeroed node is in no list. */
#ifndef BOLIDE_BASE_LIST_H
#define BOLIDE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct bl_list {
  struct bl_list *next;
  struct bl_list *prev;
};

/* The struct of `type` whose `member` is at `node`. */
#define BL_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void bl_list_init(struct bl_list *head) {
  head->next = head;
  head->prev = head;
}
static inline bool bl_list_empty(const struct bl_list *head) {
  return head->next == head;
}
static inline bool bl_list_linked(const struct bl_list *node) {
  return node->next != NULL;
}
static inline void bl_list_add_last(struct bl_list *head, struct bl_list *node) {
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}
/* Accepts a node that is in no list. */
static inline void bl_list_remove(struct bl_list *node) {
  if (node->next == NULL) return;
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->next = NULL;
  node->prev = NULL;
}
/* RETURNS the first node, removed, or NULL. */
static inline struct bl_list *bl_list_take_first(struct bl_list *head) {
  if (bl_list_empty(head)) return NULL;
  struct bl_list *node = head->next;
  head->next = node->next;
  node->next->prev = head;
  node->next = NULL;
  node->prev = NULL;
  return node;
}

#endif
