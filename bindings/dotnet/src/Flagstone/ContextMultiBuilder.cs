// Collects contexts of different kinds.
using System;
using System.Collections.Generic;

namespace Flagstone;

/// <summary>Collects contexts of different kinds. Belongs to one thread at a time.</summary>
public sealed class ContextMultiBuilder
{
    private readonly List<Context> _contexts = [];

    internal ContextMultiBuilder()
    {
    }

    /// <summary>Adds a context; a multi-kind one contributes all its members.</summary>
    /// <param name="context">The context.</param>
    /// <returns>This builder.</returns>
    public ContextMultiBuilder Add(Context context)
    {
        _contexts.Add(context ?? throw new ArgumentNullException(nameof(context)));
        return this;
    }

    /// <summary>Makes the context. The builder stays as it is and may build again.</summary>
    /// <returns>The context.</returns>
    /// <exception cref="ArgumentException">A kind comes twice, or there is no context.</exception>
    public Context Build() => Context.NewMulti([.. _contexts]);
}
