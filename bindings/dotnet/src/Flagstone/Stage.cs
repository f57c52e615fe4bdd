// What is under way around a piece of work: known to everything that is called from it, on other threads too, and no longer when
// it has ended. So a hook or a store that asks its own client can be told from others.
using System;
using System.Threading;

namespace Flagstone;

/// <summary>Something of its owner is under way as long as this is not disposed of.</summary>
internal sealed class Stage : IDisposable
{
    private static readonly AsyncLocal<Stage?> s_current = new();

    /// <summary>The one within which it began, perhaps of another owner.</summary>
    private readonly Stage? _outer;

    /// <summary>Null from the end on.</summary>
    private volatile object? _owner;

    internal Stage(object owner)
    {
        _owner = owner;
        _outer = s_current.Value;
        s_current.Value = this;
    }

    /// <summary>Whether the caller is called from within something of an owner.</summary>
    internal static bool IsWithin(object owner)
    {
        for (Stage? stage = s_current.Value; stage is not null; stage = stage._outer)
        {
            if (stage._owner == owner)
            {
                return true;
            }
        }
        return false;
    }

    public void Dispose()
    {
        _owner = null;
        s_current.Value = _outer;
    }
}
