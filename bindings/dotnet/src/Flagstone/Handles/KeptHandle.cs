using System;
using System.Runtime.InteropServices;

namespace Flagstone.Handles;

/// <summary>
/// Owns a native reference that calls use without counting themselves in, as long as its owner is alive. It is given back when
/// nobody can reach the owner any more: a finalizer or a weak reference may bring an owner back that the collector has given up,
/// and then it is as good as before. A <see cref="SafeHandle"/> would be finalized all the same.
/// </summary>
internal abstract class KeptHandle
{
    private readonly IntPtr _native;

    /// <summary>Knows the owner until its memory is gone.</summary>
    private GCHandle _owner;

    /// <param name="owner">The object whose calls use the reference; it must refer to this one.</param>
    /// <param name="native">The reference.</param>
    protected KeptHandle(object owner, IntPtr native)
    {
        _native = native;
        _owner = GCHandle.Alloc(owner, GCHandleType.WeakTrackResurrection);
    }

    ~KeptHandle()
    {
        if (!_owner.IsAllocated)
        {
            return; // the constructor did not end
        }
        if (_owner.Target is null)
        {
            _owner.Free();
            Release(_native);
        }
        else if (!Environment.HasShutdownStarted)
        {
            // Somebody else's finalizer can reach the owner: asked again at a later collection.
            GC.ReRegisterForFinalize(this);
        }
    }

    /// <summary>Gives the reference back.</summary>
    private protected abstract void Release(IntPtr native);
}
