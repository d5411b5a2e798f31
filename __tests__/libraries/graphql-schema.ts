import {
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';

/** The names of the subscriptions that have let go of what they held. */
export const released = new Set<string>();

async function* countTo(end: number, name: string): AsyncGenerator<{ count: string }> {
  try {
    for (let count = 1; count <= end; count++) {
      await new Promise(setImmediate);
      yield { count: `${name} ${count}` };
    }
  } finally {
    released.add(name);
  }
}

/** A schema with something to ask for and something to subscribe to. */
export const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      shout: {
        type: GraphQLString,
        args: { text: { type: new GraphQLNonNull(GraphQLString) } },
        resolve: (_source, { text }: { text: string }) => text.toUpperCase(),
      },
    },
  }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: GraphQLString,
        args: {
          to: { type: new GraphQLNonNull(GraphQLInt) },
          name: { type: GraphQLString, defaultValue: 'a' },
        },
        subscribe: (_source, { to, name }: { to: number; name: string }) => countTo(to, name),
      },
      broken: {
        type: GraphQLString,
        subscribe: () => {
          throw new Error('no such stream');
        },
      },
    },
  }),
});
