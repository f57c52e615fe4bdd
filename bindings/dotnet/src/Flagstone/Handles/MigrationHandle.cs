using System;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a <c>flagstone_migration</c>.</summary>
internal sealed class MigrationHandle(object owner, IntPtr native) : KeptHandle(owner, native)
{
    private protected override void Release(IntPtr native) => NativeMethods.flagstone_migration_release(native);
}
